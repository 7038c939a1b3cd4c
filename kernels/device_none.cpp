// The device API of a build without CUDA: there is no device, and whoever asks for one is told so.
#include <iskra/kernels/device_api.h>

namespace iskra::device {
namespace {

[[noreturn]] void refuse() {
  throw DeviceError(ErrorCode::no_device,
                    "this build has no CUDA; use the CPU (Device::cpu(), --device cpu)");
}

}  // namespace

int count() { return 0; }
void require() { refuse(); }
void select(int /*device*/) { refuse(); }
int current() { return 0; }
Properties properties(int /*device*/) { refuse(); }
void synchronize() { refuse(); }

void* allocate(size_t /*bytes*/) { refuse(); }
void release(void* /*memory*/) {}
MemoryInfo memory_info() { refuse(); }
void* allocate_pinned(size_t /*bytes*/) { refuse(); }
void release_pinned(void* /*memory*/) {}

Stream create_stream() { refuse(); }
void destroy(Stream /*stream*/) {}
void synchronize(Stream /*stream*/) { refuse(); }
bool query(Stream /*stream*/) { refuse(); }
void call_on_host(Stream /*stream*/, void (* /*f*/)(void*), void* /*data*/) { refuse(); }

Event create_event(bool /*timed*/) { refuse(); }
void destroy(Event /*event*/) {}
void record(Event /*event*/, Stream /*stream*/) { refuse(); }
void wait(Stream /*stream*/, Event /*event*/) { refuse(); }
void synchronize(Event /*event*/) { refuse(); }
bool query(Event /*event*/) { refuse(); }
float elapsed(Event /*from*/, Event /*to*/) { refuse(); }

void copy_to_device(void* /*to*/, const void* /*from_host*/, size_t /*bytes*/, Stream /*stream*/) {
  refuse();
}
void copy_to_host(void* /*to_host*/, const void* /*from*/, size_t /*bytes*/, Stream /*stream*/) { refuse(); }
void copy_on_device(void* /*to*/, const void* /*from*/, size_t /*bytes*/, Stream /*stream*/) { refuse(); }
void fill_bytes(void* /*to*/, uint8_t /*value*/, size_t /*bytes*/, Stream /*stream*/) { refuse(); }

void begin_capture(Stream /*stream*/) { refuse(); }
Graph end_capture(Stream /*stream*/) { refuse(); }
bool is_capturing(Stream /*stream*/) { return false; }
void launch(Graph /*graph*/, Stream /*stream*/) { refuse(); }
void destroy(Graph /*graph*/) {}

}  // namespace iskra::device
