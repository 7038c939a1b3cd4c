// report.html of a training run: one file that needs nothing else.
#pragma once

#include <string>

#include <iskra/zoo/train/result.h>

namespace iskra::zoo {

/// The page: main figures, curves, confusion matrix, accuracy of each class, mistakes as pictures, speed and
/// memory, and every option. Parts without data are left out. A pure function of its argument.
std::string report_html(const TrainResult& result);

/// Parts of it, for other pages: "" when the evaluation is empty.
std::string confusion_html(const Evaluation& evaluation);
std::string class_table_html(const Evaluation& evaluation);
std::string mistakes_html(const std::vector<Mistake>& mistakes, const std::vector<std::string>& class_names);

}  // namespace iskra::zoo
