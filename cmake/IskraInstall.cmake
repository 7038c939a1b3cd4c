# cmake --install: the library, its public headers, the program, and what find_package(iskra) reads.

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/iskra)

install(TARGETS iskra EXPORT iskra-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS iskra-program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(EXPORT iskra-targets NAMESPACE iskra:: DESTINATION ${package_dir})
configure_package_config_file(cmake/iskra-config.cmake.in ${PROJECT_BINARY_DIR}/iskra-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/iskra-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/iskra-config.cmake ${PROJECT_BINARY_DIR}/iskra-config-version.cmake
              cmake/FindDNNL.cmake
        DESTINATION ${package_dir})

# Headers of all floors; those that only our own sources read stay here.
foreach(floor kernels core nn dist zoo)
  install(DIRECTORY ${floor} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/iskra
          FILES_MATCHING PATTERN "*.h"
          PATTERN "*.isa.h" EXCLUDE
          PATTERN "onednn.h" EXCLUDE
          PATTERN "json.h" EXCLUDE
          PATTERN "zoo/app" EXCLUDE
          PATTERN "zoo/iskra.h" EXCLUDE)
endforeach()
install(FILES zoo/iskra.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/iskra)
