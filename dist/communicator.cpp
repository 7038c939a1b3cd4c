#include <iskra/dist/communicator.h>

#include <iskra/core/launch.h>
#include <iskra/core/tensor_impl.h>
#include <iskra/kernels/kernels.h>

namespace iskra::dist {

Communicator::Communicator(Transport& transport, std::chrono::milliseconds timeout)
    : transport_(transport), timeout_(timeout) {
  ISKRA_CHECK(timeout.count() > 0, "Communicator: a timeout of ", timeout.count(),
              " ms; it must be positive");
}

// Numbers the call, starts its clock, and puts the operation's name and shape into whatever goes wrong.
template <class F>
void Communicator::operation(const char* name, const Tensor* x, F&& body) {
  ++sequence_;
  deadline_ = std::chrono::steady_clock::now() + timeout_;
  try {
    body();
  } catch (const CommunicationError& error) {
    std::string what = text(name, x != nullptr ? " of " + x->str() : std::string(), " (call ", sequence_,
                            "): ", error.what());
    transport_.abort(what);
    throw CommunicationError(what);
  }
}

void Communicator::send(int to, const void* data, size_t bytes) {
  transport_.send(to, sequence_, data, bytes);
  ++traffic_.messages;
  traffic_.bytes += bytes;
}

void Communicator::receive(int from, void* data, size_t bytes) {
  transport_.receive(from, sequence_, data, bytes, deadline_);
}

void Communicator::barrier() {
  operation("barrier", nullptr, [&] {
    for (int step = 1; step < size(); step *= 2) {
      send((rank() + step) % size(), nullptr, 0);
      receive((rank() - step + size()) % size(), nullptr, 0);
    }
  });
}

void Communicator::broadcast(Tensor& x, int root) {
  ISKRA_CHECK(root >= 0 && root < size(), "broadcast: root ", root, " is outside 0 to ", size() - 1);
  ISKRA_CHECK(x.is_dense() && x.device().is_cpu(), "broadcast: the tensor ", x.str(),
              " must be dense and on the CPU");
  operation("broadcast", &x, [&] {
    // Seen from the root: in round `step` every rank below `step` that has the data sends it `step` further.
    int from_root = (rank() - root + size()) % size();
    for (int step = 1; step < size(); step *= 2) {
      if (from_root < step && from_root + step < size())
        send((rank() + step) % size(), x.raw_data(), x.bytes());
      if (from_root >= step && from_root < 2 * step)
        receive((rank() - step + size()) % size(), x.raw_data(), x.bytes());
    }
  });
}

void Communicator::all_reduce(Tensor& x) {
  ISKRA_CHECK(is_floating(x.dtype()), "all_reduce: the tensor ", x.str(), " must be floating");
  ISKRA_CHECK(x.is_dense() && x.device().is_cpu(), "all_reduce: the tensor ", x.str(),
              " must be dense and on the CPU");
  if (size() == 1) return;
  // The elements are cut into p chunks. In the first half, chunk c travels from rank c+1 around the ring and
  // each rank adds its own part, so that rank c ends with the whole sum of chunk c; in the second half
  // finished chunks go round.
  int p = size();
  int64_t n = x.numel();
  auto begin = [&](int chunk) { return n * ((chunk + p) % p) / p; };
  auto length = [&](int chunk) { return n * ((chunk + p) % p + 1) / p - begin(chunk); };
  auto window = [&](int chunk) { return detail::view_of(x, {length(chunk)}, {1}, begin(chunk)); };
  int next = (rank() + 1) % p;
  int before = (rank() + p - 1) % p;
  auto bytes_of = [&](int chunk) { return static_cast<size_t>(length(chunk)) * size_of(x.dtype()); };
  operation("all_reduce", &x, [&] {
    Tensor arrived = Tensor::empty({(n + p - 1) / p + 1}, {.dtype = x.dtype()});
    for (int step = 1; step < p; ++step) {
      int out = rank() - step;
      int in = rank() - step - 1;
      send(next, window(out).raw_data(), bytes_of(out));
      receive(before, arrived.raw_data(), bytes_of(in));
      Tensor part = detail::view_of(arrived, {length(in)}, {1});
      Tensor sum = window(in);
      detail::launch(x.device(), [&](auto on) { kernels::add_into(on, part.view(), sum.mut(), 1.0F); });
    }
    for (int step = 0; step + 1 < p; ++step) {
      int out = rank() - step;
      int in = rank() - step - 1;
      send(next, window(out).raw_data(), bytes_of(out));
      receive(before, window(in).raw_data(), bytes_of(in));
    }
  });
}

}  // namespace iskra::dist
