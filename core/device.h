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
  /// CUDA when this build and machine have it, else the CPU.
  static Device best();
  /// "cpu", "cuda", "cuda:1"; throws on anything else and on a device that this build or machine lacks.
  static Device parse(const std::string& name);

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

}  // namespace iskra
