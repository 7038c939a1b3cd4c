// JSON for files and reports: the one header that includes nlohmann's. Sources include it, public headers do
// not.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include <iskra/kernels/check.h>

namespace iskra::zoo {

/// Keeps the order in which keys were put in.
using Json = nlohmann::ordered_json;

/// Parses a whole text; throws Error naming `what` (a file, usually) and the place. Duplicate keys: the last
/// one wins.
inline Json parse_json(const std::string& json, const std::string& what) {
  try {
    return Json::parse(json);
  } catch (const Json::parse_error& e) {
    throw Error(text(what, ": no valid JSON at byte ", e.byte, "; it was edited by hand or is damaged"));
  }
}

}  // namespace iskra::zoo
