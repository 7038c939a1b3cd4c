// Where a tensor lives.
#pragma once

#include <string>

namespace iskra {

class Device {
 public:
  enum class Kind : unsigned char { cpu, cuda };

  Device() = default;
  static Device cpu() { return Device(Kind::cpu, 0); }
  static Device cuda(int index = 0) { return Device(Kind::cuda, index); }
  /// The first CUDA device when this build and machine have one, else the CPU.
  static Device best();
  /// "cpu", "cuda", "cuda:1"; throws on anything else and on a device that this build or machine lacks.
  static Device parse(const std::string& name);
  /// How many CUDA devices can be used; 0 in a build without CUDA.
  static int cuda_count();

  Kind kind() const { return kind_; }
  int index() const { return index_; }
  bool is_cpu() const { return kind_ == Kind::cpu; }
  bool is_cuda() const { return kind_ == Kind::cuda; }
  bool operator==(const Device& o) const { return kind_ == o.kind_ && index_ == o.index_; }
  std::string str() const;

 private:
  Device(Kind kind, int index) : kind_(kind), index_(index) {}
  Kind kind_ = Kind::cpu;
  int index_ = 0;
};

/// Where this thread's tensors are made when nothing else is said: the CPU at first.
Device current_device();

/// Within its scope this thread makes tensors on `device`.
class DeviceScope {
 public:
  explicit DeviceScope(Device device);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  Device before_;
};

/// Waits until all that was asked of the device is done; returns at once on the CPU, where that is so.
void synchronize(Device device);

namespace detail {
/// Throws what stands in the way of using a CUDA device; makes it the one that this thread's calls of the
/// device API mean.
void select_cuda(int index);
}  // namespace detail

}  // namespace iskra
