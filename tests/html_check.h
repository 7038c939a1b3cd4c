// A strict reader of the HTML that reports are made of.
#pragma once

#include <string>
#include <vector>

struct HtmlElement {
  std::string tag;
  std::vector<std::pair<std::string, std::string>> attributes;
  std::string attribute(const std::string& name) const {
    for (const auto& [key, value] : attributes) {
      if (key == name) return value;
    }
    return "";
  }
};

/// What a page consists of. `problem` is "" when every tag is closed in order, every attribute is quoted, no
/// character stands where it needs escaping, and every reference is one that the writer makes.
struct HtmlPage {
  std::vector<HtmlElement> elements;
  std::string text;  // of all elements but style, references resolved
  std::string problem;

  int count(const std::string& tag) const;
};

HtmlPage read_html(const std::string& html);
