#include <iskra/zoo/app/pictures.h>

#include <algorithm>

#include <iskra/kernels/check.h>
#include <iskra/zoo/data/idx.h>
#include <iskra/zoo/weights/files.h>
#include <iskra/zoo/weights/npy.h>

namespace iskra::zoo {

namespace {

Dataset npy_picture(const std::string& path) {
  Tensor x = read_npy(path);
  ISKRA_CHECK(x.dtype() == DType::u8 && (x.rank() == 2 || x.rank() == 3) && x.numel() > 0, path, ": holds ",
              x.str(), "; a picture is u8, (height, width) or (height, width, channels)");
  return Dataset(x.to_vector<uint8_t>(), x.size(0), x.size(1), x.rank() == 3 ? x.size(2) : 1, {0}, {"?"},
                 path);
}

Dataset read_any(const std::string& path) {
  if (folder_exists(path)) return idx(path, {.split = is_idx_folder(path, "test") ? "test" : "train"});
  return path.ends_with(".npy") ? npy_picture(path) : idx_pictures(path);
}

}  // namespace

Pictures read_pictures(const std::string& path, const std::vector<int64_t>& index) {
  constexpr int64_t kFirst = 10;
  Dataset all = read_any(path);
  std::vector<int64_t> chosen = index;
  for (int64_t i = 0; index.empty() && i < std::min(kFirst, all.size()); ++i) chosen.push_back(i);
  Pictures pictures;
  for (int64_t i : chosen) {
    ISKRA_CHECK(i < all.size(), "index: there is no picture ", i, " in ", path, ", which has ", all.size());
    pictures.names.push_back(all.size() == 1 ? path : path + "#" + std::to_string(i));
  }
  pictures.data = all.subset(chosen);
  return pictures;
}

}  // namespace iskra::zoo
