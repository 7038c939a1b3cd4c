// The result of a transfer study for people and programs.
#pragma once

#include <string>

#include <iskra/zoo/train/json_line.h>
#include <iskra/zoo/train/transfer.h>

namespace iskra::zoo {

/// One page: the comparison drawn and as a table, the pre-trained models, and every run that was made, chosen
/// or not. Links lead to the reports of the chosen runs below `out`.
std::string transfer_html(const TransferResult& result, const std::string& out);

/// One JSON object: {"event":"pretrained",…}, {"event":"run",…}; and the whole table as one
/// object.
JsonLine transfer_json(const TransferPretrained& run);
JsonLine transfer_json(const TransferRun& run);
JsonLine transfer_json(const TransferResult& result);

/// How the intervals of a result are to be read, in one sentence.
std::string interval_note(const TransferResult& result);

/// The best of the ways other than the reference, by the mean of their test accuracies; null when there is
/// none. Rows of one model and one number of labels are compared.
const TransferRow* best_transfer(const TransferResult& result, const std::string& arch,
                                 int64_t labels_per_class);

}  // namespace iskra::zoo
