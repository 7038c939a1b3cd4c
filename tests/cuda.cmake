# Tests of the emulator, and of the CUDA kernels on it or on a GPU.

if(ISKRA_SIM)
  include(sim.cmake)
endif()

# The tests of kernels that are on CUDA already, by the same files as on the CPU.
# On a GPU their plain memory has to be memory that it reaches.
if(ISKRA_CUDA)
  set(plain_memory cuda_plain_memory.cpp)
endif()
iskra_test(test_kernels_cuda FLOORS kernels SCHEDULES SOURCES
  ${plain_memory}
  test_kernels_attention.cpp
  test_kernels_attention_rules.cpp
  test_kernels_channel_norm.cpp
  test_kernels_conv.cpp
  test_kernels_conv_finish.cpp
  test_kernels_elements.cpp
  test_kernels_gemm.cpp
  test_kernels_index.cpp
  test_kernels_interpolate.cpp
  test_kernels_loss.cpp
  test_kernels_matmul.cpp
  test_kernels_memory.cpp
  test_kernels_optim.cpp
  test_kernels_order.cpp
  test_kernels_pad.cpp
  test_kernels_pointwise.cpp
  test_kernels_pointwise_types.cpp
  test_kernels_pool.cpp
  test_kernels_random.cpp
  test_kernels_reduce.cpp
  test_kernels_row_types.cpp
  test_kernels_rows.cpp
  test_kernels_scan.cpp
  test_kernels_select.cpp
  )
target_compile_definitions(test_kernels_cuda PRIVATE ISKRA_TEST_CUDA=1)

# What `./dev test sim` builds.
add_custom_target(cuda-tests DEPENDS test_kernels_cuda test_core test_nn)
if(ISKRA_SIM)
  add_dependencies(cuda-tests test_sim test_device test_cuda_engine test_app_cuda)
endif()
