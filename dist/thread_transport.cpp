#include <iskra/dist/thread_transport.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <iskra/core/context.h>

namespace iskra::dist {
namespace {

struct Message {
  uint64_t tag;
  std::vector<char> bytes;
};

// One ordered queue for every pair of ranks.
struct Exchange {
  explicit Exchange(int ranks)
      : size(ranks), queues(static_cast<size_t>(ranks) * static_cast<size_t>(ranks)) {}
  std::deque<Message>& queue(int from, int to) {
    return queues[static_cast<size_t>(from) * static_cast<size_t>(size) + static_cast<size_t>(to)];
  }

  int size;
  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<std::deque<Message>> queues;
  std::string failure;  // empty while all is well
};

class ThreadTransport final : public Transport {
 public:
  ThreadTransport(std::shared_ptr<Exchange> exchange, int rank)
      : exchange_(std::move(exchange)), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return exchange_->size; }

  void send(int to, uint64_t tag, const void* data, size_t bytes) override {
    Message message{tag, std::vector<char>(bytes)};
    if (bytes > 0) std::memcpy(message.bytes.data(), data, bytes);
    std::lock_guard lock(exchange_->mutex);
    check_alive();
    exchange_->queue(rank_, to).push_back(std::move(message));
    exchange_->arrived.notify_all();
  }

  void receive(int from, uint64_t tag, void* data, size_t bytes, Deadline deadline) override {
    std::unique_lock lock(exchange_->mutex);
    auto& queue = exchange_->queue(from, rank_);
    bool ready = exchange_->arrived.wait_until(lock, deadline,
                                               [&] { return !queue.empty() || !exchange_->failure.empty(); });
    check_alive();
    if (!ready) throw CommunicationError(text("rank ", rank_, " waited too long for rank ", from));
    Message message = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    if (message.tag != tag || message.bytes.size() != bytes) {
      throw CommunicationError(text("rank ", rank_, " expected ", bytes, " bytes of its operation ", tag,
                                    " from rank ", from, ", which sent ", message.bytes.size(),
                                    " bytes of its operation ", message.tag,
                                    "; all ranks must make the same calls with the same shapes"));
    }
    if (bytes > 0) std::memcpy(data, message.bytes.data(), bytes);
  }

  void abort(const std::string& why) override {
    std::lock_guard lock(exchange_->mutex);
    if (exchange_->failure.empty()) exchange_->failure = text("rank ", rank_, " gave up: ", why);
    exchange_->arrived.notify_all();
  }

 private:
  void check_alive() const {
    if (!exchange_->failure.empty()) throw CommunicationError(exchange_->failure);
  }

  std::shared_ptr<Exchange> exchange_;
  int rank_;
};

}  // namespace

void run_ranks(int ranks, const std::function<void(Transport&)>& body) {
  ISKRA_CHECK(ranks >= 1, "run_ranks: ", ranks, " ranks; give 1 or more");
  auto exchange = std::make_shared<Exchange>(ranks);
  int budget = std::max(1, thread_budget() / ranks);
  std::mutex first_mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      set_threads(budget);
      ThreadTransport transport(exchange, rank);
      try {
        body(transport);
      } catch (...) {
        {
          std::lock_guard lock(first_mutex);
          if (!first) first = std::current_exception();
        }
        try {
          throw;
        } catch (const std::exception& error) {
          transport.abort(error.what());
        } catch (...) {
          transport.abort("unknown error");
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace iskra::dist
