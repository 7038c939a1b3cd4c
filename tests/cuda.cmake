# Tests of the emulator, and of the CUDA kernels on it or on a GPU.

if(ISKRA_SIM)
  include(sim.cmake)
endif()

# The tests of kernels, by the same files as on the CPU. On a GPU their plain memory has to be memory that it reaches.
if(ISKRA_CUDA)
  set(plain_memory cuda_plain_memory.cpp)
endif()
iskra_test(test_kernels_cuda FLOORS kernels SCHEDULES SOURCES ${kernel_tests}
  ${plain_memory}
  test_kernels_gemm.cpp
  )
target_compile_definitions(test_kernels_cuda PRIVATE ISKRA_TEST_CUDA=1)

# What `./dev test sim` builds.
add_custom_target(cuda-tests DEPENDS test_kernels_cuda test_core test_nn)
if(ISKRA_SIM)
  add_dependencies(cuda-tests test_sim test_device test_cuda_engine test_app_cuda)
endif()
