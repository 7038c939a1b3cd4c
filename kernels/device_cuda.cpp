// The device API on the CUDA runtime.
#include <cuda_runtime.h>

#include <string>

#include <iskra/kernels/device_api.h>

namespace iskra::device {
namespace {

constexpr int kOldestMajor = 8;  // compute capability

std::string version(int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); }

struct Meaning {
  ErrorCode code;
  std::string hint;  ///< how to mend it
};

const char* const kNoDevice = "this machine has none, or its driver is not loaded; use the CPU";

// Without any driver, the runtime says that it is too old.
Meaning driver_meaning() {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) return {ErrorCode::no_device, kNoDevice};
  return {ErrorCode::driver_too_old, "the driver knows CUDA " + version(driver) + " and this program needs " +
                                         version(runtime) + "; update the driver, or use the CPU"};
}

Meaning capture_meaning(cudaError_t status) {
  switch (status) {
    case cudaErrorStreamCaptureUnjoined:
      return {ErrorCode::unjoined_capture,
              "record an event behind the other stream's work, and make the first stream wait for that"};
    case cudaErrorStreamCaptureUnsupported:
    case cudaErrorStreamCaptureInvalidated:
    case cudaErrorStreamCaptureMerge:
    case cudaErrorStreamCaptureUnmatched:
    case cudaErrorStreamCaptureIsolation:
    case cudaErrorStreamCaptureImplicit:
    case cudaErrorCapturedEvent:
    case cudaErrorStreamCaptureWrongThread:
      return {ErrorCode::not_permitted_in_capture, "do it before begin_capture or after end_capture"};
    default:
      return {ErrorCode::other, ""};
  }
}

Meaning meaning_of(cudaError_t status) {
  switch (status) {
    case cudaErrorNoDevice:
      return {ErrorCode::no_device, kNoDevice};
    case cudaErrorInvalidDevice:
      return {ErrorCode::no_device, "there is no such device; they are counted from 0 to count() - 1"};
    case cudaErrorInsufficientDriver:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorUnsupportedPtxVersion:
      return driver_meaning();
    case cudaErrorNoKernelImageForDevice:
      return {ErrorCode::unsupported_device,
              "8.0 (Ampere) is the oldest compute capability supported; use another device, or the CPU"};
    case cudaErrorMemoryAllocation:
      return {ErrorCode::out_of_memory, "use smaller batches"};
    case cudaErrorInvalidValue:
    case cudaErrorInvalidResourceHandle:
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidDevicePointer:
    case cudaErrorInvalidMemcpyDirection:
    case cudaErrorNotReady:
      return {ErrorCode::invalid_argument, "is it still there, and of this device?"};
    case cudaErrorNotPermitted:
      return {ErrorCode::not_permitted, "host functions of streams must not call the device API"};
    case cudaErrorLaunchFailure:
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchTimeout:
    case cudaErrorLaunchOutOfResources:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
      return {ErrorCode::launch_failed,
              "a kernel failed, here or before; run with CUDA_LAUNCH_BLOCKING=1 or compute-sanitizer to see "
              "which, and start the program again"};
    default:
      return capture_meaning(status);
  }
}

[[noreturn]] void refuse(ErrorCode code, const std::string& what, const std::string& why) {
  throw DeviceError(code, what + ": " + why);
}

[[noreturn]] void fail(cudaError_t status, const std::string& what) {
  cudaGetLastError();  // what is not sticky is told once
  Meaning meaning = meaning_of(status);
  // The runtime's own words do not tell a driver that is missing from one that is too old.
  if (meaning.code == ErrorCode::no_device || meaning.code == ErrorCode::driver_too_old)
    refuse(meaning.code, what, meaning.hint);
  refuse(meaning.code, what,
         std::string(cudaGetErrorString(status)) + " (" + cudaGetErrorName(status) + ")" +
             (meaning.hint.empty() ? "" : "; " + meaning.hint));
}

void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) fail(status, what);
}

// Asynchronous calls on the thread's own stream are what the runtime calls per-thread.
cudaStream_t runtime_stream(Stream stream) {
  return stream == kOwnStream ? cudaStreamPerThread : reinterpret_cast<cudaStream_t>(stream);
}
cudaEvent_t runtime_event(Event event) { return reinterpret_cast<cudaEvent_t>(event); }
cudaGraphExec_t runtime_graph(Graph graph) { return reinterpret_cast<cudaGraphExec_t>(graph); }

}  // namespace

// --- devices

int count() {
  int devices = 0;
  cudaError_t status = cudaGetDeviceCount(&devices);
  if (status == cudaSuccess) return devices;
  cudaGetLastError();
  return 0;
}

void require() {
  int devices = 0;
  cudaError_t status = cudaGetDeviceCount(&devices);
  check(status, "CUDA");
  if (devices == 0) check(cudaErrorNoDevice, "CUDA");
}

void select(int device) {
  require();
  int major = 0, minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "select");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "select");
  if (major < kOldestMajor) {
    refuse(ErrorCode::unsupported_device, "select",
           "device " + std::to_string(device) + " has compute capability " + std::to_string(major) + "." +
               std::to_string(minor) + ", and 8.0 (Ampere) is the oldest supported; use another, or the CPU");
  }
  check(cudaSetDevice(device), "select");
}

int current() {
  int device = 0;
  check(cudaGetDevice(&device), "current");
  return device;
}

Properties properties(int device) {
  require();
  cudaDeviceProp known{};
  check(cudaGetDeviceProperties(&known, device), "properties");
  Properties p;
  p.name = known.name;
  p.major = known.major;
  p.minor = known.minor;
  p.multiprocessors = known.multiProcessorCount;
  p.total_bytes = known.totalGlobalMem;
  p.shared_bytes_per_block = known.sharedMemPerBlockOptin;
  check(cudaDriverGetVersion(&p.driver_version), "properties");
  check(cudaRuntimeGetVersion(&p.runtime_version), "properties");
  return p;
}

void synchronize() { check(cudaDeviceSynchronize(), "synchronize"); }

// --- memory

void* allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  void* memory = nullptr;
  cudaError_t status = cudaMalloc(&memory, bytes);
  if (status == cudaSuccess) return memory;
  if (status != cudaErrorMemoryAllocation) fail(status, "allocate");
  cudaGetLastError();
  MemoryInfo info = memory_info();
  refuse(ErrorCode::out_of_memory, "allocate",
         "device " + std::to_string(current()) + " cannot give " + std::to_string(bytes) + " bytes: of " +
             std::to_string(info.total) + " bytes, " + std::to_string(info.total - info.free) +
             " are held and " + std::to_string(info.free) +
             " free; use smaller batches, or end other programs on this device");
}

void release(void* memory) {
  if (memory != nullptr) check(cudaFree(memory), "release");
}

MemoryInfo memory_info() {
  MemoryInfo info;
  check(cudaMemGetInfo(&info.free, &info.total), "memory_info");
  return info;
}

void* allocate_pinned(size_t bytes) {
  if (bytes == 0) return nullptr;
  void* memory = nullptr;
  check(cudaHostAlloc(&memory, bytes, cudaHostAllocPortable), "allocate_pinned");
  return memory;
}

void release_pinned(void* memory) {
  if (memory != nullptr) check(cudaFreeHost(memory), "release_pinned");
}

// --- streams

Stream create_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "create_stream");
  return reinterpret_cast<Stream>(stream);
}

void destroy(Stream stream) {
  if (stream == kOwnStream) {
    refuse(ErrorCode::invalid_argument, "destroy(Stream)", "a thread's own stream is not to be destroyed");
  }
  check(cudaStreamDestroy(runtime_stream(stream)), "destroy(Stream)");
}

void synchronize(Stream stream) {
  check(cudaStreamSynchronize(runtime_stream(stream)), "synchronize(Stream)");
}

bool query(Stream stream) {
  cudaError_t status = cudaStreamQuery(runtime_stream(stream));
  if (status != cudaErrorNotReady) check(status, "query(Stream)");
  return status == cudaSuccess;
}

void call_on_host(Stream stream, void (*f)(void*), void* data) {
  check(cudaLaunchHostFunc(runtime_stream(stream), f, data), "call_on_host");
}

// --- events

Event create_event(bool timed) {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, timed ? cudaEventDefault : cudaEventDisableTiming), "create_event");
  return reinterpret_cast<Event>(event);
}

void destroy(Event event) { check(cudaEventDestroy(runtime_event(event)), "destroy(Event)"); }

void record(Event event, Stream stream) {
  check(cudaEventRecord(runtime_event(event), runtime_stream(stream)), "record");
}

void wait(Stream stream, Event event) {
  check(cudaStreamWaitEvent(runtime_stream(stream), runtime_event(event), cudaEventWaitDefault), "wait");
}

void synchronize(Event event) { check(cudaEventSynchronize(runtime_event(event)), "synchronize(Event)"); }

bool query(Event event) {
  cudaError_t status = cudaEventQuery(runtime_event(event));
  if (status != cudaErrorNotReady) check(status, "query(Event)");
  return status == cudaSuccess;
}

float elapsed(Event from, Event to) {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, runtime_event(from), runtime_event(to)), "elapsed");
  return milliseconds;
}

// --- copies

namespace {

// Pageable memory is refused in a capture. The runtime itself gives no promise about when it is read or
// written, but for copies to the host, which it waits with: so both directions wait here.
void copy_with_host(void* to, const void* from, const void* host, size_t bytes, cudaMemcpyKind kind,
                    Stream stream, const char* what) {
  if (bytes == 0) return;
  cudaPointerAttributes known{};
  check(cudaPointerGetAttributes(&known, host), what);
  if (known.type == cudaMemoryTypeDevice)
    refuse(ErrorCode::invalid_argument, what, "the host's side is device memory; use copy_on_device");
  bool pinned = known.type == cudaMemoryTypeHost;
  if (!pinned && is_capturing(stream)) {
    cudaStreamSynchronize(runtime_stream(stream));  // not permitted: loses the capture
    cudaGetLastError();
    refuse(ErrorCode::not_permitted_in_capture, what,
           "pageable memory while a stream is captured; use pinned memory");
  }
  check(cudaMemcpyAsync(to, from, bytes, kind, runtime_stream(stream)), what);
  if (!pinned) check(cudaStreamSynchronize(runtime_stream(stream)), what);
}

}  // namespace

void copy_to_device(void* to, const void* from_host, size_t bytes, Stream stream) {
  copy_with_host(to, from_host, from_host, bytes, cudaMemcpyHostToDevice, stream, "copy_to_device");
}

void copy_to_host(void* to_host, const void* from, size_t bytes, Stream stream) {
  copy_with_host(to_host, from, to_host, bytes, cudaMemcpyDeviceToHost, stream, "copy_to_host");
}

void copy_on_device(void* to, const void* from, size_t bytes, Stream stream) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, runtime_stream(stream)), "copy_on_device");
}

void fill_bytes(void* to, uint8_t value, size_t bytes, Stream stream) {
  if (bytes == 0) return;
  check(cudaMemsetAsync(to, value, bytes, runtime_stream(stream)), "fill_bytes");
}

// --- graphs

void begin_capture(Stream stream) {
  check(cudaStreamBeginCapture(runtime_stream(stream), cudaStreamCaptureModeThreadLocal), "begin_capture");
}

Graph end_capture(Stream stream) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t ready = nullptr;
  check(cudaStreamEndCapture(runtime_stream(stream), &graph), "end_capture");
  cudaError_t status = cudaGraphInstantiate(&ready, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "end_capture");
  return reinterpret_cast<Graph>(ready);
}

bool is_capturing(Stream stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(runtime_stream(stream), &status), "is_capturing");
  return status != cudaStreamCaptureStatusNone;
}

void launch(Graph graph, Stream stream) {
  check(cudaGraphLaunch(runtime_graph(graph), runtime_stream(stream)), "launch(Graph)");
}

void destroy(Graph graph) { check(cudaGraphExecDestroy(runtime_graph(graph)), "destroy(Graph)"); }

}  // namespace iskra::device
