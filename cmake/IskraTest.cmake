# iskra_test(): test programs, and the environment that every test runs in.

include(GoogleTest)
find_package(GTest REQUIRED)

# The levels of this machine, worst first (a forced level above the machine's is an error by design).
function(iskra_machine_levels out)
  file(STRINGS /proc/cpuinfo flags REGEX "^flags" LIMIT_COUNT 1)
  string(REGEX REPLACE "^[^:]*:" "" flags "${flags}")
  separate_arguments(flags)
  set(needs_v3 avx2 fma bmi1 bmi2 f16c abm movbe)
  set(needs_v4 ${needs_v3} avx512f avx512bw avx512cd avx512dq avx512vl avx512_bf16)
  set(levels v2)
  foreach(level v3 v4)
    set(missing ${needs_${level}})
    list(REMOVE_ITEM missing ${flags})
    if(NOT missing)
      list(APPEND levels ${level})
    endif()
  endforeach()
  set(${out} ${levels} PARENT_SCOPE)
endfunction()

# What every test's environment holds. A waiting OpenMP thread must not spin: two test processes on two cores would
# take minutes for what takes a second.
set(ISKRA_TEST_ENVIRONMENT OMP_WAIT_POLICY=passive)
set(ISKRA_TEST_TIMEOUT 120)
if(ISKRA_SANITIZE)
  set(ISKRA_TEST_TIMEOUT 600)
  list(APPEND ISKRA_TEST_ENVIRONMENT
       ASAN_OPTIONS=abort_on_error=0:allocator_may_return_null=1:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
       UBSAN_OPTIONS=print_stacktrace=1)
endif()
if(ISKRA_SANITIZE MATCHES thread)
  # Archer tells ThreadSanitizer what OpenMP's barriers order. oneDNN brings libgomp, which it knows nothing of:
  # modules without instrumentation are ignored, or correct code would be reported.
  get_filename_component(omp_folder "${OpenMP_omp_LIBRARY}" REALPATH)
  get_filename_component(omp_folder "${omp_folder}" DIRECTORY)
  find_file(ISKRA_ARCHER libarcher.so HINTS ${omp_folder} /usr/lib/llvm-19/lib NO_CMAKE_FIND_ROOT_PATH REQUIRED)
  mark_as_advanced(ISKRA_ARCHER)
  list(APPEND ISKRA_TEST_ENVIRONMENT
       TSAN_OPTIONS=ignore_noninstrumented_modules=1:atexit_sleep_ms=0:allocator_may_return_null=1:halt_on_error=1:second_deadlock_stack=1
       OMP_TOOL=enabled OMP_TOOL_LIBRARIES=${ISKRA_ARCHER})
endif()

# Compiled once for all tests: they share every flag.
add_library(iskra-test-flags INTERFACE)
target_link_libraries(iskra-test-flags INTERFACE iskra-flags GTest::gtest)
# Tests compute references by plain loops, and are compiled more often than they run.
target_compile_options(iskra-test-flags INTERFACE -O1
                       $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
                       # g++ 12 sees overlaps and overruns in plain sums of strings at -O1 (its bug 105651).
                       $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
                       $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-array-bounds>
                       $<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>)
target_compile_definitions(iskra-test-flags INTERFACE
                           ISKRA_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                           ISKRA_PROGRAM="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/iskra")
add_library(iskra-test-pch OBJECT ${PROJECT_SOURCE_DIR}/tests/pch.cpp)
target_link_libraries(iskra-test-pch PRIVATE iskra-test-flags)
target_precompile_headers(iskra-test-pch PRIVATE ${PROJECT_SOURCE_DIR}/tests/pch.h)

# iskra_test_support(NAME SOURCES file...): objects that several test programs LINK; they need core's floors.
function(iskra_test_support name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
  add_library(${name} OBJECT ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC GTest::gtest PRIVATE iskra-test-flags)
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/tests)
  target_precompile_headers(${name} REUSE_FROM iskra-test-pch)
endfunction()

# iskra_test(NAME FLOORS floor... SOURCES file... [LINK target...] [THREADS n] [LABEL l] [ISA] [SCHEDULES]): one GoogleTest program.
# THREADS: its tests run with n OpenMP threads instead of one. LABEL: the program is
# one test of ctest, with this label. ISA: they run once more for each lower level of the
# instruction set that this machine has, as <test>.v2 and so on (not under sanitizers, which need one run).
# SCHEDULES: they run once more in each order of the emulator's threads, as NAME.reverse.1of4 and so on
# (likewise).
# CUDA: where CUDA kernels are built, they run once more with their tensors on that device, as NAME.cuda.1of4 and so on, and,
# on the emulator but not under sanitizers, with streams that put off work and threads in reverse, as NAME.lazy.1of4 and so on. WITHOUT: but
# for these (a filter). Where only CUDA's tests are wanted, these are the only runs.
function(iskra_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ISA;SCHEDULES;CUDA" "THREADS;LABEL;WITHOUT" "FLOORS;SOURCES;LINK")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES OR NOT arg_FLOORS)
    message(FATAL_ERROR "iskra_test(${name}): needs FLOORS and SOURCES; unknown: '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT arg_THREADS)
    set(arg_THREADS 1)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE iskra-test-flags GTest::gtest_main ${arg_LINK})
  target_precompile_headers(${name} REUSE_FROM iskra-test-pch)
  iskra_link_floors(${name} ${arg_FLOORS})

  iskra_machine_levels(levels)
  list(POP_BACK levels own_level)
  set(runs "best")
  if(arg_ISA AND NOT ISKRA_SANITIZE)
    list(APPEND runs ${levels})
  endif()
  set(schedules reverse deep random)
  if(arg_SCHEDULES AND ISKRA_SIM AND NOT ISKRA_SANITIZE)
    list(APPEND runs ${schedules})
  endif()
  if(arg_CUDA AND ISKRA_TEST_PARTS STREQUAL "cuda")
    set(runs)
  endif()
  if(arg_CUDA AND (ISKRA_SIM OR ISKRA_CUDA))
    list(APPEND runs cuda)
    if(ISKRA_SIM AND NOT ISKRA_SANITIZE)
      list(APPEND runs lazy)
    endif()
  endif()
  foreach(run ${runs})
    set(scratch ${PROJECT_BINARY_DIR}/tests/scratch/${name}-${run})
    file(MAKE_DIRECTORY ${scratch})
    set(environment ${ISKRA_TEST_ENVIRONMENT} OMP_NUM_THREADS=${arg_THREADS} TMPDIR=${scratch} TEST_TMPDIR=${scratch})
    set(suffix)
    if(run MATCHES "cuda|lazy")
      list(APPEND environment ISKRA_TEST_DEVICE=cuda)
      if(run STREQUAL "lazy")
        list(APPEND environment ISKRA_SIM_STREAMS=lazy ISKRA_SIM_SCHEDULE=reverse)
      endif()
    elseif(run IN_LIST schedules)
      list(APPEND environment ISKRA_SIM_SCHEDULE=${run})
    elseif(NOT run STREQUAL "best")
      list(APPEND environment ISKRA_CPU=${run})
    endif()
    if(arg_SCHEDULES)
      list(APPEND environment ISKRA_SIM_STREAMS=blocking)  # tests of kernels read results without waiting for them
    endif()
    if(NOT run STREQUAL "best")
      set(suffix .${run})
    endif()
    # On the emulator most tests are shorter than the start of a process: a few tests of ctest for a whole program.
    if(arg_SCHEDULES OR run MATCHES "cuda|lazy")
      set(shards 4)
      foreach(shard RANGE 1 ${shards})
        math(EXPR index "${shard} - 1")
        set(test ${name}.${run}.${shard}of${shards})
        add_test(NAME ${test} COMMAND ${name} --gtest_brief=1 "--gtest_filter=-${arg_WITHOUT}" WORKING_DIRECTORY ${scratch})
        set_tests_properties(${test} PROPERTIES TIMEOUT 900 PROCESSORS ${arg_THREADS}
                             ENVIRONMENT "${environment};GTEST_TOTAL_SHARDS=${shards};GTEST_SHARD_INDEX=${index}")
      endforeach()
      continue()
    endif()
    if(arg_LABEL)
      add_test(NAME ${name}${suffix} COMMAND ${name} WORKING_DIRECTORY ${scratch})
      set_tests_properties(${name}${suffix} PROPERTIES TIMEOUT ${ISKRA_TEST_TIMEOUT} PROCESSORS ${arg_THREADS}
                           LABELS ${arg_LABEL} ENVIRONMENT "${environment}")
      continue()
    endif()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 TEST_SUFFIX "${suffix}"
                         TEST_LIST ${name}_${run} NO_PRETTY_VALUES NO_PRETTY_TYPES WORKING_DIRECTORY ${scratch})
    # gtest_discover_tests cannot pass a list; ctest reads this file right after it has listed the tests.
    file(WRITE ${scratch}.cmake "set_tests_properties(\${${name}_${run}} PROPERTIES TIMEOUT ${ISKRA_TEST_TIMEOUT} "
         "PROCESSORS ${arg_THREADS} ENVIRONMENT \"${environment}\")\n")
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${scratch}.cmake)
  endforeach()
endfunction()
