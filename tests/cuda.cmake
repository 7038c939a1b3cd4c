# Tests of the emulator and of the CUDA kernels on it.

# The emulator of CUDA. Kernels reinterpret memory freely, as CUDA code does.
iskra_test(test_sim FLOORS sim SOURCES
  test_sim_async.cpp
  test_sim_atomics.cpp
  test_sim_barriers.cpp
  test_sim_bulk.cpp
  test_sim_cluster.cpp
  test_sim_faults.cpp
  test_sim_matrix.cpp
  test_sim_mbarrier.cpp
  test_sim_shared.cpp
  test_sim_threads.cpp
  test_sim_tma.cpp
  test_sim_warps.cpp
  test_sim_wgmma.cpp
  test_sim_wgmma_product.cpp
  test_sim_wgmma_rules.cpp
  )
target_compile_options(test_sim PRIVATE -fno-strict-aliasing)

# The device API on the emulator: memory, streams, events and graphs.
iskra_test(test_device FLOORS sim SOURCES
  test_device_faults.cpp
  test_device_graphs.cpp
  test_device_memory.cpp
  test_device_streams.cpp
  )
target_compile_options(test_device PRIVATE -fno-strict-aliasing)

# What only a sanitizer sees in a kernel, it must see: each of these programs has to end with its report.
if(ISKRA_SANITIZE)
  add_executable(sim_planted sim_planted.cpp)
  iskra_link_floors(sim_planted sim)
  target_compile_options(sim_planted PRIVATE -fno-strict-aliasing)
  set(right "all passed")
  if(ISKRA_SANITIZE MATCHES thread)
    set(planted same_value between_blocks no_fence no_warp_barrier shuffle_is_no_barrier write_after_read
        no_barrier_before_ldmatrix no_barrier_after_stmatrix no_barrier_before_wgmma no_wait_before_reuse)
    set(report "WARNING: ThreadSanitizer: data race")
  else()
    target_compile_options(sim_planted PRIVATE -fsanitize=float-cast-overflow)  # which `undefined` leaves out
    set(planted over_shared over_dynamic over_global vector_load shift to_int sums_out_of_scope)
    set(report "ERROR: AddressSanitizer: |runtime error: (load of misaligned address|member access within misaligned|shift exponent|index 32 out of bounds|3e[+]09 is outside)")
  endif()
  foreach(name right ${planted})
    add_test(NAME sim.planted.${name} COMMAND sim_planted ${name})
    set(expected "${report}")
    if(name STREQUAL "right")
      set(expected "${right}")
    endif()
    set_tests_properties(sim.planted.${name} PROPERTIES TIMEOUT ${ISKRA_TEST_TIMEOUT} ENVIRONMENT "${ISKRA_TEST_ENVIRONMENT}"
                         PASS_REGULAR_EXPRESSION "${expected}")
  endforeach()
endif()

# The tests of kernels that are on CUDA already, by the same files as on the CPU.
iskra_test(test_kernels_cuda FLOORS kernels SCHEDULES SOURCES
  test_kernels_attention.cpp
  test_kernels_attention_rules.cpp
  test_kernels_channel_norm.cpp
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
add_custom_target(cuda-tests DEPENDS test_sim test_device test_kernels_cuda test_core test_nn)
