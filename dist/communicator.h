// Collectives over a Transport. Every call must be made by all ranks, in the same order, with the same
// shapes. Notation: p ranks, n bytes of the tensor.
#pragma once

#include <cstdint>

#include <iskra/core/tensor.h>
#include <iskra/dist/transport.h>

namespace iskra::dist {

/// What this rank sent since the last reset; tests hold algorithms to their formulas with it.
struct Traffic {
  uint64_t messages = 0;
  uint64_t bytes = 0;
};

class Communicator {
 public:
  /// Every blocking call fails after `timeout`, naming rank, operation and shape. The transport must outlive
  /// it.
  explicit Communicator(Transport& transport, std::chrono::milliseconds timeout = std::chrono::seconds(60));

  int rank() const { return transport_.rank(); }
  int size() const { return transport_.size(); }

  /// Returns when every rank has called it (dissemination, ceil(log2 p) messages a rank).
  void barrier();
  /// Copies the root's elements to all, along a binomial tree.
  void broadcast(Tensor& x, int root);
  /// x = sum over ranks, in place, by the ring (reduce-scatter, then all-gather): 2(p-1) messages a rank and,
  /// when p divides the elements, 2(p-1)/p n bytes. All ranks get the same bits, the same in every run.
  void all_reduce(Tensor& x);

  const Traffic& traffic() const { return traffic_; }
  void reset_traffic() { traffic_ = {}; }

 private:
  template <class F>
  void operation(const char* name, const Tensor* x, F&& body);
  void send(int to, const void* data, size_t bytes);
  void receive(int from, void* data, size_t bytes);

  Transport& transport_;
  std::chrono::milliseconds timeout_;
  Deadline deadline_{};
  uint64_t sequence_ = 0;  // number of the collective; the tag that ranks must agree on
  Traffic traffic_;
};

}  // namespace iskra::dist
