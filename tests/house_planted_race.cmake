# Runs PROGRAM five times. MODE race: each run must end with ThreadSanitizer's report and its exit code; MODE clean:
# none may. Archer, through which ThreadSanitizer learns of OpenMP, must have been at work in both.
foreach(run RANGE 1 5)
  execute_process(COMMAND ${PROGRAM} ${MODE} OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE code)
  if(NOT said MATCHES "Archer detected OpenMP application with TSan")
    message(FATAL_ERROR "run ${run}: Archer is not active:\n${said}")
  endif()
  string(FIND "${said}" "WARNING: ThreadSanitizer: data race" report)
  if(MODE STREQUAL "race" AND (report EQUAL -1 OR NOT code EQUAL 66))
    message(FATAL_ERROR "run ${run}: the planted race was not reported (exit code ${code}):\n${said}")
  elseif(MODE STREQUAL "clean" AND (NOT report EQUAL -1 OR NOT code EQUAL 0))
    message(FATAL_ERROR "run ${run}: the clean program failed (exit code ${code}):\n${said}")
  endif()
endforeach()
