# nvcc for the kernels: no GPU and no driver are needed to build. CUDACXX or CUDA_HOME say where it is.

if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(ISKRA_NVCC nvcc HINTS ENV CUDA_HOME /usr/local/cuda PATH_SUFFIXES bin)
  mark_as_advanced(ISKRA_NVCC)
  if(NOT ISKRA_NVCC)
    message(FATAL_ERROR "ISKRA_CUDA needs nvcc, and there is none in CUDA_HOME, /usr/local/cuda or PATH; "
                        "./dev build cuda installs one")
  endif()
  set(CMAKE_CUDA_COMPILER ${ISKRA_NVCC})
endif()
set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
set(CMAKE_CUDA_ARCHITECTURES ${ISKRA_CUDA_ARCHITECTURES})
set(CMAKE_CUDA_FLAGS_RELEASE "-O3 -DNDEBUG")
enable_language(CUDA)
# CMake 3.25 does not know that nvcc has C++20.
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
# Linked below, for targets of any language.
set(CMAKE_CUDA_RUNTIME_LIBRARY None)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR "${CMAKE_CUDA_COMPILER} is of CUDA ${CMAKE_CUDA_COMPILER_VERSION}; 13 or later is needed")
endif()

# The static runtime: programs then need the driver alone, and start without it.
find_library(ISKRA_CUDART cudart_static HINTS ${CMAKE_CUDA_IMPLICIT_LINK_DIRECTORIES} REQUIRED)
mark_as_advanced(ISKRA_CUDART)
set(ISKRA_CUDA_LIBRARIES ${ISKRA_CUDART} Threads::Threads rt ${CMAKE_DL_LIBS})

# iskra_compile_by_nvcc(TARGET): flags of its .cu files. What ptxas says of each kernel lands in resources/FILE.txt.
set(ISKRA_CUDA_RESOURCES ${PROJECT_BINARY_DIR}/resources)
function(iskra_compile_by_nvcc target)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  file(MAKE_DIRECTORY ${ISKRA_CUDA_RESOURCES})
  set_target_properties(${target} PROPERTIES CUDA_COMPILER_LAUNCHER
    "${Python3_EXECUTABLE};${PROJECT_SOURCE_DIR}/cmake/compile_cuda.py;${ISKRA_CUDA_RESOURCES};${CMAKE_CXX_COMPILER_LAUNCHER}")
  # nvcc's output for the host breaks -Wpedantic in every line.
  target_compile_options(${target} PRIVATE --resource-usage -Xcompiler=-Wall,-Wextra,-Wno-unknown-pragmas
                         "$<$<BOOL:${ISKRA_WERROR}>:SHELL:-Werror all-warnings>")
endfunction()
