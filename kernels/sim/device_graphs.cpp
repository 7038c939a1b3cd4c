// Graphs: capturing what streams would do, and doing it later.
#include <algorithm>
#include <utility>

#include <iskra/kernels/sim/device_state.h>

namespace iskra::sim {
namespace {

using device::ErrorCode;

void add(std::vector<size_t>& to, const std::vector<size_t>& nodes) {
  for (size_t n : nodes) {
    if (std::find(to.begin(), to.end(), n) == to.end()) to.push_back(n);
  }
}

// All work of a graph. Lazy streams take, of what could come next, what was captured last: an order between
// two streams that no event promises shows.
class GraphRun final : public Operation {
 public:
  GraphRun(std::shared_ptr<GraphState> graph, bool latest_first)
      : graph_(std::move(graph)), order_(order_of(graph_->nodes, latest_first)) {}

  void run() override {
    for (size_t i : order_) graph_->nodes[i].operation->run();
  }
  std::string problem() override {
    for (GraphNode& node : graph_->nodes) {
      if (std::string text = node.operation->problem(); !text.empty()) return text;
    }
    return "";
  }
  bool reads_host(const char* begin, const char* end) const override {
    return std::any_of(graph_->nodes.begin(), graph_->nodes.end(),
                       [&](const GraphNode& node) { return node.operation->reads_host(begin, end); });
  }
  void undefine_host() const override {
    for (const GraphNode& node : graph_->nodes) node.operation->undefine_host();
  }

 private:
  static std::vector<size_t> order_of(const std::vector<GraphNode>& nodes, bool latest_first) {
    std::vector<size_t> order;
    std::vector<bool> taken(nodes.size());
    while (order.size() < nodes.size()) {
      size_t next = nodes.size();
      for (size_t i = 0; i < nodes.size() && (latest_first || next == nodes.size()); ++i) {
        const auto& after = nodes[i].after;
        if (!taken[i] && std::all_of(after.begin(), after.end(), [&](size_t n) { return taken[n]; }))
          next = i;
      }
      taken[next] = true;
      order.push_back(next);
    }
    return order;
  }

  std::shared_ptr<GraphState> graph_;
  std::vector<size_t> order_;
};

// Whether the work behind `last` comes after all nodes.
bool joined(const std::vector<GraphNode>& nodes, const std::vector<size_t>& last) {
  std::vector<bool> seen(nodes.size());
  std::vector<size_t> todo = last;
  while (!todo.empty()) {
    size_t n = todo.back();
    todo.pop_back();
    if (seen[n]) continue;
    seen[n] = true;
    todo.insert(todo.end(), nodes[n].after.begin(), nodes[n].after.end());
  }
  return std::find(seen.begin(), seen.end(), false) == seen.end();
}

}  // namespace

bool Runtime::captures(std::thread::id thread) const {
  return std::any_of(open_captures.begin(), open_captures.end(),
                     [&](const auto& c) { return c->thread == thread; });
}

void Runtime::lose(Capture& capture, const std::string& what) {
  if (capture.lost.empty()) capture.lost = what;
  throw device::DeviceError(ErrorCode::not_permitted_in_capture,
                            "not permitted while a stream is captured: " + what + " (the capture is lost)");
}

void Runtime::refuse_in_capture(const char* what) {
  for (auto& capture : open_captures) {
    if (capture->thread == std::this_thread::get_id())
      lose(*capture, std::string(what) + "; do it before begin_capture");
  }
}

void Runtime::refuse_in_capture(const StreamState& stream, const char* what) {
  if (stream.capture != nullptr) lose(*stream.capture, std::string(what) + "; do it after end_capture");
}

void Runtime::wait_captured(const std::shared_ptr<StreamState>& stream, EventState& event) {
  constexpr const char* kWhat = "wait";
  if (event.capture == nullptr) {
    if (event.record == nullptr) return;
    lose(
        *stream->capture,
        "wait for an event that was recorded outside of the capture; wait before begin_capture, or record it "
        "again");
  }
  if (event.capture->ended) {
    std::string why = "the event was recorded in a capture that has ended; record it again";
    if (stream->capture != nullptr) lose(*stream->capture, why);
    refuse(ErrorCode::invalid_argument, kWhat, why);
  }
  if (stream->capture == nullptr) {
    stream->capture = event.capture;
    stream->last.clear();
    event.capture->streams.push_back(stream);
  } else if (stream->capture != event.capture) {
    lose(*stream->capture, "wait for an event of another capture; end that first");
  }
  add(stream->last, event.after);
}

}  // namespace iskra::sim

namespace iskra::device {

using sim::Capture;
using sim::refuse;
using sim::Runtime;

void begin_capture(Stream stream) {
  constexpr const char* kWhat = "begin_capture";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto state = all.stream(stream, kWhat);
  all.check_failure(state->device);
  if (state->capture != nullptr) refuse(ErrorCode::invalid_argument, kWhat, "the stream is captured already");
  auto capture = std::make_shared<Capture>();
  capture->thread = std::this_thread::get_id();
  capture->origin = state.get();
  capture->streams = {state};
  state->capture = capture;
  state->last.clear();
  all.open_captures.push_back(capture);
}

Graph end_capture(Stream stream) {
  constexpr const char* kWhat = "end_capture";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto state = all.stream(stream, kWhat);
  std::shared_ptr<Capture> capture = state->capture;
  if (capture == nullptr) refuse(ErrorCode::invalid_argument, kWhat, "the stream is not captured");
  if (capture->origin != state.get() || capture->thread != std::this_thread::get_id()) {
    refuse(ErrorCode::invalid_argument, kWhat,
           "the capture was begun on another stream or by another thread; end it there");
  }
  bool all_joined = sim::joined(capture->nodes, state->last);
  for (auto& s : capture->streams) {
    s->capture = nullptr;
    s->last.clear();
  }
  capture->streams.clear();
  capture->ended = true;
  std::erase(all.open_captures, capture);
  if (!capture->lost.empty()) {
    refuse(ErrorCode::not_permitted_in_capture, kWhat,
           "the capture was lost by what is not permitted: " + capture->lost);
  }
  if (!all_joined) {
    refuse(
        ErrorCode::unjoined_capture, kWhat,
        "a stream that was pulled into the capture has work that was not joined back; record an event behind "
        "it, and make the first stream wait for that");
  }
  auto graph = std::make_shared<sim::GraphState>();
  graph->nodes = std::move(capture->nodes);
  all.graphs[graph.get()] = graph;
  return reinterpret_cast<Graph>(graph.get());
}

bool is_capturing(Stream stream) {
  constexpr const char* kWhat = "is_capturing";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  return all.stream(stream, kWhat)->capture != nullptr;
}

namespace {

std::shared_ptr<sim::GraphState> find(Runtime& all, Graph graph, const char* what) {
  auto found = all.graphs.find(graph);
  if (found != all.graphs.end()) return found->second;
  refuse(ErrorCode::invalid_argument, what, sim::address_of(graph) + " is no graph; was it destroyed?");
}

}  // namespace

void launch(Graph graph, Stream stream) {
  constexpr const char* kWhat = "launch(Graph)";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto state = all.stream(stream, kWhat);
  auto run = std::make_shared<sim::GraphRun>(find(all, graph, kWhat), all.mode == sim::StreamMode::lazy);
  all.enqueue(lock, state, std::move(run));
}

void destroy(Graph graph) {
  constexpr const char* kWhat = "destroy(Graph)";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  find(all, graph, kWhat);
  all.graphs.erase(graph);
}

}  // namespace iskra::device
