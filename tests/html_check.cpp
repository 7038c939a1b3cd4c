#include "html_check.h"

#include <algorithm>
#include <cctype>

namespace {

class Reader {
 public:
  explicit Reader(const std::string& html) : html_(html) {}

  HtmlPage read() {
    const std::string doctype = "<!DOCTYPE html>";
    if (html_.compare(0, doctype.size(), doctype) == 0) at_ = doctype.size();
    while (at_ < html_.size() && page_.problem.empty()) {
      if (html_[at_] == '<') {
        html_.compare(at_, 2, "</") == 0 ? close() : open();
      } else {
        page_.text += resolved(until('<'));
      }
    }
    if (page_.problem.empty() && !stack_.empty()) fail("<" + stack_.back() + "> is never closed");
    return page_;
  }

 private:
  void fail(const std::string& what) {
    if (page_.problem.empty()) page_.problem = what + " near: " + html_.substr(at_, 60);
  }

  std::string until(char end) {
    size_t stop = std::min(html_.find(end, at_), html_.size());
    std::string part = html_.substr(at_, stop - at_);
    at_ = stop;
    return part;
  }

  std::string name() {
    size_t begin = at_;
    while (at_ < html_.size() && (std::isalnum(static_cast<unsigned char>(html_[at_])) || html_[at_] == '-'))
      ++at_;
    return html_.substr(begin, at_ - begin);
  }

  std::string resolved(const std::string& raw) {
    static const std::vector<std::pair<std::string, std::string>> known = {
        {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}};
    std::string out;
    for (size_t i = 0; i < raw.size();) {
      if (raw[i] == '>' || raw[i] == '<') fail("an unescaped angle bracket");
      if (raw[i] != '&') {
        out += raw[i++];
        continue;
      }
      auto match = std::find_if(known.begin(), known.end(),
                                [&](const auto& k) { return raw.compare(i, k.first.size(), k.first) == 0; });
      if (match == known.end()) {
        fail("an unescaped & in '" + raw + "'");
        return out;
      }
      out += match->second;
      i += match->first.size();
    }
    return out;
  }

  void attributes(HtmlElement& element) {
    while (at_ < html_.size() && html_[at_] == ' ') {
      ++at_;
      std::string key = name();
      if (key.empty() || html_.compare(at_, 2, "=\"") != 0)
        return fail("an attribute without a quoted value");
      at_ += 2;
      element.attributes.emplace_back(key, resolved(until('"')));
      ++at_;
    }
  }

  void open() {
    ++at_;
    HtmlElement element{name(), {}};
    if (element.tag.empty()) return fail("< without a tag");
    attributes(element);
    bool closed = html_.compare(at_, 2, "/>") == 0;
    at_ += closed ? 2 : 1;
    if (html_[at_ - 1] != '>') return fail("a tag that does not end");
    static const std::vector<std::string> empty = {"meta", "img", "br"};
    page_.elements.push_back(element);
    if (closed || std::find(empty.begin(), empty.end(), element.tag) != empty.end()) return;
    stack_.push_back(element.tag);
    if (element.tag == "style") at_ = std::min(html_.find("</style>", at_), html_.size());
  }

  void close() {
    at_ += 2;
    std::string tag = name();
    if (stack_.empty() || stack_.back() != tag || html_[at_] != '>')
      return fail("</" + tag + "> out of order");
    stack_.pop_back();
    ++at_;
  }

  const std::string& html_;
  size_t at_ = 0;
  std::vector<std::string> stack_;
  HtmlPage page_;
};

}  // namespace

int HtmlPage::count(const std::string& tag) const {
  return static_cast<int>(
      std::count_if(elements.begin(), elements.end(), [&](const HtmlElement& e) { return e.tag == tag; }));
}

HtmlPage read_html(const std::string& html) { return Reader(html).read(); }
