# How every floor is compiled: warnings, sanitizers, the include tree, ISA levels, and the one library they become.

include(GNUInstallDirs)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(DNNL MODULE REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(Threads REQUIRED)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
# Line numbers are enough for backtraces and cost little; only the product compiles assertions away.
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1 -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS")

# <iskra/core/tensor.h> in the tree: a real folder with one link per floor.
set(ISKRA_INCLUDE ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${ISKRA_INCLUDE}/iskra)
foreach(floor kernels core nn dist zoo)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${floor} ${ISKRA_INCLUDE}/iskra/${floor} SYMBOLIC)
endforeach()
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/zoo/iskra.h ${ISKRA_INCLUDE}/iskra/iskra.h SYMBOLIC)

# A dozen test programs link the same objects whenever a kernel changes: gold, which comes with Debian's binutils, takes
# a third of the time.
find_program(ISKRA_GOLD ld.gold)
mark_as_advanced(ISKRA_GOLD)
if(ISKRA_GOLD AND PROJECT_IS_TOP_LEVEL AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_link_options(-fuse-ld=gold)
endif()

# Flags that all of our own sources share.
add_library(iskra-flags INTERFACE)
target_include_directories(iskra-flags INTERFACE ${ISKRA_INCLUDE})
# A `simd` loop that clang leaves alone in an unoptimised build is no error.
set(flags -Wall -Wextra -Wpedantic -Wshadow
    $<$<CXX_COMPILER_ID:Clang>:-Wno-pass-failed>
    $<$<BOOL:${ISKRA_WERROR}>:-Werror>
    -fmacro-prefix-map=${ISKRA_INCLUDE}/=
    -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=iskra/)
target_compile_options(iskra-flags INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${flags}>")
if(ISKRA_SANITIZE)
  target_compile_options(iskra-flags INTERFACE -fsanitize=${ISKRA_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(iskra-flags INTERFACE -fsanitize=${ISKRA_SANITIZE})
  target_compile_definitions(iskra-flags INTERFACE ISKRA_SANITIZED=1)
endif()

# What a level of the hot loops is compiled for; always optimised, so that no level depends on the build type.
set(ISKRA_ISA_FLAGS_v2 -march=x86-64-v2)
set(ISKRA_ISA_FLAGS_v3 -march=x86-64-v3)
set(ISKRA_ISA_FLAGS_v4 -march=x86-64-v4 -mavx512bf16 -mprefer-vector-width=512)
# g++ threads jumps, and computes partially redundant expressions early: both make branches of selects, which the
# vectoriser turns into long chains of masks.
set(ISKRA_ISA_FLAGS -O3 -fno-math-errno -fno-trapping-math -fopenmp-simd
    "$<$<CXX_COMPILER_ID:GNU>:-fno-thread-jumps;-fno-tree-pre>")

# iskra_floor(NAME SOURCES file... [ISA file...] [LINK target...]): one floor as an object library.
# ISA files are compiled once per instruction-set level, with ISKRA_ISA=v2|v3|v4 defined as their namespace. LINK
# names what the floor's sources use; whoever links the floor links that too.
function(iskra_floor name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;ISA;LINK")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "iskra_floor(${name}): unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  add_library(iskra-${name} OBJECT ${arg_SOURCES})
  target_link_libraries(iskra-${name} PRIVATE iskra-flags ${arg_LINK})
  set(parts iskra-${name})
  if(arg_ISA)
    foreach(level ${ISKRA_ISA_LEVELS})
      set(part iskra-${name}-${level})
      add_library(${part} OBJECT ${arg_ISA})
      target_link_libraries(${part} PRIVATE iskra-flags)
      target_compile_definitions(${part} PRIVATE ISKRA_ISA=${level})
      target_compile_options(${part} PRIVATE ${ISKRA_ISA_FLAGS_${level}} ${ISKRA_ISA_FLAGS})
      list(APPEND parts ${part})
      set_property(GLOBAL APPEND PROPERTY ISKRA_ISA_PARTS ${part})
    endforeach()
  endif()
  set_target_properties(${parts} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  set_property(GLOBAL PROPERTY ISKRA_PARTS_${name} ${parts})
endfunction()

# iskra_floor_includes(NAME FLOOR...): whoever links the floor links these, too.
function(iskra_floor_includes name)
  foreach(floor ${ARGN})
    get_property(parts GLOBAL PROPERTY ISKRA_PARTS_${floor})
    set_property(GLOBAL APPEND PROPERTY ISKRA_PARTS_${name} ${parts})
  endforeach()
endfunction()

# iskra_link_floors(TARGET FLOOR...): links the objects of the named floors, all their ISA levels included.
function(iskra_link_floors target)
  foreach(floor ${ARGN})
    get_property(parts GLOBAL PROPERTY ISKRA_PARTS_${floor})
    if(NOT parts)
      message(FATAL_ERROR "iskra_link_floors(${target}): there is no floor '${floor}'")
    endif()
    target_link_libraries(${target} PRIVATE ${parts})
  endforeach()
  target_link_libraries(${target} PRIVATE iskra-flags)
endfunction()

# iskra_library(FLOOR...): the one library that users link.
function(iskra_library)
  add_library(iskra STATIC)
  add_library(iskra::iskra ALIAS iskra)
  foreach(floor ${ARGN})
    get_property(parts GLOBAL PROPERTY ISKRA_PARTS_${floor})
    foreach(part ${parts})
      target_sources(iskra PRIVATE $<TARGET_OBJECTS:${part}>)
    endforeach()
  endforeach()
  set_target_properties(iskra PROPERTIES LINKER_LANGUAGE CXX)
  target_compile_features(iskra PUBLIC cxx_std_20)
  target_include_directories(iskra PUBLIC $<BUILD_INTERFACE:${ISKRA_INCLUDE}>
                             $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  # Private: users link them with us, but see neither their headers nor their flags.
  target_link_libraries(iskra PRIVATE OpenMP::OpenMP_CXX DNNL::dnnl ZLIB::ZLIB PNG::PNG Threads::Threads
                                      ${ISKRA_CUDA_LIBRARIES})
  if(ISKRA_SANITIZE)
    target_link_options(iskra PUBLIC -fsanitize=${ISKRA_SANITIZE})
  endif()
endfunction()
