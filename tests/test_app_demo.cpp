#include <gtest/gtest.h>

#include "app_run.h"
#include "zoo_pictures.h"

namespace iskra::testing {
namespace {

TEST(Demo, NamesThePackageWhenThePicturesAreMissing) {
  Folder folder;
  Ran ran = run_iskra(folder, {"demo", "--data", folder / "nothing", "--out", folder / "out"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err,
            "iskra: error: demo: " + folder / "nothing" +
                " does not hold the IDX files of Fashion-MNIST; install the package dataset-fashion-mnist "
                "(apt-get install dataset-fashion-mnist), or name their folder with --data\n");
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

TEST(Demo, LeavesFoldersOfOthersAlone) {
  Folder folder;
  std::string data = write_pictures(folder / "data");
  std::filesystem::create_directories(folder / "mine");
  write_bytes(folder / "mine/thesis.txt", "years of work");
  Ran ran = run_iskra(folder, {"demo", "--data", data, "--out", folder / "mine"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "iskra: error: --out: " + folder / "mine" +
                         " holds something that no demo made; choose another folder\n");
  EXPECT_EQ(read_bytes(folder / "mine/thesis.txt"), "years of work");
}

TEST(Demo, SuggestsTheFlagThatWasMeant) {
  Folder folder;
  Ran ran = run_iskra(folder, {"demo", "--fulll"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("did you mean '--full'?"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace iskra::testing
