#include <gtest/gtest.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <iskra/kernels/check.h>
#include <iskra/zoo/train/chart.h>
#include <iskra/zoo/train/html.h>
#include <iskra/zoo/train/png.h>
#include <iskra/zoo/train/report.h>

#include "html_check.h"

namespace iskra::zoo {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Picture striped(int64_t height, int64_t width, int64_t channels, int salt) {
  Picture p{height, width, channels, {}};
  for (int64_t i = 0; i < height * width * channels; ++i) {
    p.pixels.push_back(static_cast<uint8_t>(i * 37 + i / 7 * 11 + salt));
  }
  return p;
}

std::string from_base64(const std::string& text) {
  std::string out;
  uint32_t group = 0;
  int bits = 0;
  for (char c : text) {
    if (c == '=') break;
    size_t digit = std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").find(c);
    EXPECT_NE(digit, std::string::npos) << c;
    group = group << 6 | static_cast<uint32_t>(digit);
    bits += 6;
    if (bits >= 8) out += static_cast<char>(group >> (bits -= 8) & 255U);
  }
  return out;
}

Picture decoded(const std::string& file) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_memory(&image, file.data(), file.size()), 0) << image.message;
  bool colour = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  Picture p{image.height, image.width, colour ? 3 : 1, std::vector<uint8_t>(PNG_IMAGE_SIZE(image))};
  EXPECT_NE(png_image_finish_read(&image, nullptr, p.pixels.data(), 0, nullptr), 0) << image.message;
  return p;
}

Evaluation three_classes() {
  Evaluation e;
  e.count = 20;
  e.accuracy = 0.7;
  e.class_names = {"<script>alert(1)</script>", "\"quoted\" onload='x'", "R&D \xFF"};
  e.confusion = {8, 2, 0, 1, 6, 3, 0, 0, 0};
  return e;
}

TrainResult full_result() {
  TrainResult r;
  r.arch = "vit_<b>";
  r.strategy = "full";
  r.device = "cpu";
  r.precision = "fp32";
  r.steps = r.stopped_at = 20;
  r.test = three_classes();
  r.test_pictures = 20;
  r.class_names = r.test.class_names;
  r.throughput = {1234.5, 1300, 0.02};
  r.config = {{"data", "/a \"b\" <c> & d"}, {"lr", "0.001"}};
  for (int i = 1; i <= 2; ++i) {
    r.train_curve.push_back(
        {.step = 10 * i, .epoch = 1.0 * i, .loss = 1.0 / i, .accuracy = 0.5, .learning_rate = 1e-3});
    r.validation_curve.push_back({.step = 10 * i, .epoch = 1.0 * i, .loss = 1.5 / i, .accuracy = 0.4});
  }
  for (int i = 0; i < 3; ++i) {
    r.mistakes.push_back(
        {{.index = i, .label = i, .predicted = (i + 1) % 3, .probability = 0.9}, striped(5, 7, 1, i)});
  }
  r.mistakes.push_back(
      {{.index = 9, .label = 7, .predicted = -1, .probability = kNan}, striped(101, 97, 3, 4)});
  return r;
}

TEST(Html, EscapesEverythingThatCouldEndATextOrAnAttribute) {
  EXPECT_EQ(html::escape("<a href=\"x\">&'</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(html::escape("π → ü 🎉"), "π → ü 🎉");
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(html::escape(std::string("a\0b\x1b\x7f", 5)), "a" + bad + "b" + bad + bad);
  EXPECT_EQ(html::escape("\xC0\xAF"), bad + bad) << "overlong";
  EXPECT_EQ(html::escape("\xED\xA0\x80"), bad + bad + bad) << "surrogate";
  EXPECT_EQ(html::escape("\xF4\x90\x80\x80"), bad + bad + bad + bad) << "beyond U+10FFFF";
  EXPECT_EQ(html::escape("x\xE2\x82"), "x" + bad + bad) << "cut off";
}

TEST(Html, NumbersAsPeopleReadThem) {
  EXPECT_EQ(html::number(0.123456), "0.1235");
  EXPECT_EQ(html::number(1234.5), "1234");
  EXPECT_EQ(html::number(0.5), "0.5");
  EXPECT_EQ(html::number(0), "0");
  EXPECT_EQ(html::number(-2.50), "-2.5");
  EXPECT_EQ(html::number(1.25e-5, 3), "1.25e-05");
  EXPECT_EQ(html::number(kNan), "not finite");
  EXPECT_EQ(html::percent(0.8339), "83.4\xC2\xA0%");
  EXPECT_EQ(html::percent(kNan), "–");
  EXPECT_EQ(html::grouped(1234567),
            "1\xE2\x80\xAF"
            "234\xE2\x80\xAF"
            "567");
  EXPECT_EQ(html::grouped(-999), "-999");
  EXPECT_EQ(html::bytes(1536), "1.5\xC2\xA0KiB");
  EXPECT_EQ(html::bytes(183500800), "175\xC2\xA0MiB");
  EXPECT_EQ(html::duration(9.44), "9.4 s");
  EXPECT_EQ(html::duration(200), "3 min 20 s");
  EXPECT_EQ(html::duration(7500), "2 h 05 min");
  EXPECT_EQ(html::duration(kNan), "–");
}

TEST(Chart, TicksAreRoundAndCoverTheRange) {
  EXPECT_EQ(html::axis_ticks(0.1, 1.9, 5), (std::vector<double>{0, 0.5, 1, 1.5, 2}));
  EXPECT_EQ(html::axis_ticks(-3, 7, 6), (std::vector<double>{-4, -2, 0, 2, 4, 6, 8}));
  for (auto [low, high] : {std::pair{1e-9, 2e-9}, {-5.0, -4.99}, {0.0, 1e12}, {0.317, 0.319}}) {
    std::vector<double> ticks = html::axis_ticks(low, high, 5);
    ASSERT_GE(ticks.size(), 2U);
    EXPECT_LE(ticks.size(), 9U);
    double step = ticks[1] - ticks[0];
    EXPECT_LE(ticks.front(), low + 1e-6 * step);
    EXPECT_GE(ticks.back(), high - 1e-6 * step);
  }
  EXPECT_EQ(html::tick_text(0.25, 0.25, false), "0.25");
  EXPECT_EQ(html::tick_text(0.5, 0.25, true), "50\xC2\xA0%");
  EXPECT_EQ(html::tick_text(7.5e-4, 2.5e-4, false), "7.5e-4");
  EXPECT_EQ(html::tick_text(1e-3, 2.5e-4, false), "1e-3");
  EXPECT_EQ(html::tick_text(400, 200, false), "400");
}

html::LineChart one_series(std::vector<html::ChartPoint> points) {
  return {.title = "Loss <&>", .x_name = "step", .series = {{"a\"b", std::move(points)}}};
}

TEST(Chart, EmptyOnePointAndNotFinite) {
  EXPECT_EQ(html::line_chart(one_series({})), "");
  EXPECT_EQ(html::line_chart({.title = "t", .x_name = "x"}), "");
  std::string one = html::line_chart(one_series({{3, 0.5}}));
  EXPECT_EQ(read_html(one).problem, "");
  EXPECT_NE(one.find("step 3: 0.5"), std::string::npos);
  EXPECT_EQ(one.find("nan"), std::string::npos);

  std::string gap = html::line_chart(one_series({{0, 1}, {1, 2}, {2, kNan}, {3, INFINITY}, {4, 1}, {5, 2}}));
  EXPECT_EQ(read_html(gap).problem, "");
  EXPECT_NE(gap.find("2 of 6 values are not finite"), std::string::npos);
  EXPECT_EQ(gap.find("nan"), std::string::npos);
  EXPECT_EQ(gap.find("inf"), std::string::npos);
  size_t path = gap.find(" d=\"M");
  ASSERT_NE(path, std::string::npos);
  std::string d = gap.substr(path, gap.find('"', path + 4) - path);
  EXPECT_EQ(std::count(d.begin(), d.end(), 'M'), 2) << "the line breaks at the gap: " << d;

  std::string none = html::line_chart(one_series({{0, kNan}}));
  EXPECT_EQ(read_html(none).count("svg"), 0);
  EXPECT_NE(none.find("1 of 1 values"), std::string::npos);
}

TEST(Chart, LongSeriesAreThinnedToMeans) {
  std::vector<html::ChartPoint> points;
  for (int i = 0; i < 10007; ++i) points.push_back({static_cast<double>(i), i % 2 == 0 ? 1.0 : 3.0});
  std::string chart = html::line_chart(one_series(points));
  EXPECT_EQ(read_html(chart).count("title"), 200);
  EXPECT_LT(chart.size(), 60000U);
}

TEST(Chart, IntervalsOfHostileAndMissingValues) {
  EXPECT_EQ(html::interval_chart({.title = "t"}), "");
  std::string chart = html::interval_chart(
      {.title = "<x>",
       .rows = {{"a<b", 0.8, 0.7, 0.9}, {"c", kNan, kNan, kNan}, {"d", 0.5, kNan, kNan, true}}});
  HtmlPage page = read_html(chart);
  EXPECT_EQ(page.problem, "");
  EXPECT_EQ(page.count("circle"), 2);
  EXPECT_EQ(chart.find("nan"), std::string::npos);
  EXPECT_NE(page.text.find("a<b"), std::string::npos);
}

TEST(Png, DecodesToTheSamePixels) {
  for (auto [h, w, c] : {std::array<int64_t, 3>{1, 1, 1}, {28, 28, 1}, {13, 17, 3}, {1, 301, 3}}) {
    Picture p = striped(h, w, c, 5), back = decoded(encode_png(p));
    EXPECT_EQ(back.height, h);
    EXPECT_EQ(back.width, w);
    EXPECT_EQ(back.channels, c);
    EXPECT_EQ(back.pixels, p.pixels);
  }
}

std::string error_of(const Picture& p) {
  try {
    encode_png(p);
  } catch (const Error& e) {
    return e.what();
  }
  return "none";
}

TEST(Png, RefusesWhatItCannotWrite) {
  EXPECT_EQ(error_of({2, 2, 2, std::vector<uint8_t>(8)}),
            "png: a picture has 2 channels; 1 (grey) and 3 (RGB) can be written");
  EXPECT_EQ(error_of({0, 2, 1, {}}), "png: a picture of 0 x 2 pixels cannot be written");
  EXPECT_EQ(error_of({2, 2, 1, {1, 2, 3}}), "png: a picture of 2 x 2 x 1 has 3 bytes of pixels instead of 4");
}

TEST(Png, Base64OfTheRfc) {  // RFC 4648, section 10
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFF\xFE\x00"), "//4=");  // the literal ends at the zero byte
}

TEST(Report, IsOneWellFormedFileThatLoadsNothing) {
  std::string html = report_html(full_result());
  HtmlPage page = read_html(html);
  EXPECT_EQ(page.problem, "");
  for (const char* tag : {"script", "link", "iframe", "object", "form"}) EXPECT_EQ(page.count(tag), 0) << tag;
  for (const HtmlElement& e : page.elements) {
    for (const auto& [key, value] : e.attributes) {
      EXPECT_NE(key.compare(0, 2, "on"), 0) << key;
      EXPECT_TRUE(key != "src" || value.compare(0, 22, "data:image/png;base64,") == 0) << value;
    }
  }
  EXPECT_EQ(html.find("http"), std::string::npos);
  EXPECT_EQ(html.find("@import"), std::string::npos);
  EXPECT_EQ(html.find("url("), std::string::npos);
}

TEST(Report, ShowsHostileNamesAsText) {
  HtmlPage page = read_html(report_html(full_result()));
  for (const char* text : {"<script>alert(1)</script>", "\"quoted\" onload='x'", "R&D \xEF\xBF\xBD",
                           "vit_<b>", "/a \"b\" <c> & d", "class 7", "class -1"}) {
    EXPECT_NE(page.text.find(text), std::string::npos) << text;
  }
}

TEST(Report, PicturesComeBackPixelByPixel) {
  TrainResult r = full_result();
  std::vector<Picture> pictures;
  for (const HtmlElement& e : read_html(report_html(r)).elements) {
    if (e.tag == "img") pictures.push_back(decoded(from_base64(e.attribute("src").substr(22))));
  }
  ASSERT_EQ(pictures.size(), r.mistakes.size());
  for (size_t i = 0; i < pictures.size(); ++i)
    EXPECT_EQ(pictures[i].pixels, r.mistakes[i].picture.pixels) << i;
}

TEST(Report, CountsOfTheConfusionMatrixAndItsShares) {
  HtmlPage page = read_html(confusion_html(three_classes()));
  EXPECT_EQ(page.problem, "");
  std::vector<std::string> tones, titles;
  for (const HtmlElement& e : page.elements) {
    if (e.tag == "td") tones.push_back(e.attribute("style")), titles.push_back(e.attribute("title"));
  }
  ASSERT_EQ(tones.size(), 9U);
  EXPECT_EQ(tones[0], "--a:0.78") << "0.06 + 0.9 * 8 / 10";
  EXPECT_EQ(tones[2], "--a:0.00");
  EXPECT_EQ(titles[1], "<script>alert(1)</script> taken for \"quoted\" onload='x': 2 (20.0\xC2\xA0%)");
  EXPECT_EQ(titles[4], "\"quoted\" onload='x' recognised: 6 (60.0\xC2\xA0%)");

  page = read_html(class_table_html(three_classes()));
  EXPECT_EQ(page.problem, "");
  EXPECT_NE(page.text.find("80.0\xC2\xA0%"), std::string::npos) << "recall of the first class, 8 of 10";
  EXPECT_NE(page.text.find("88.9\xC2\xA0%"), std::string::npos) << "its precision, 8 of 9";
  EXPECT_NE(page.text.find("–"), std::string::npos) << "a class without pictures";
}

TEST(Report, ManyClassesBecomeAListOfConfusions) {
  Evaluation e;
  int64_t n = 101;
  e.count = n + 5;
  for (int64_t i = 0; i < n; ++i) e.class_names.push_back("c" + std::to_string(i));
  e.confusion.assign(static_cast<size_t>(n * n), 0);
  for (int64_t i = 0; i < n; ++i) e.confusion[static_cast<size_t>(i * n + i)] = 1;
  e.confusion[static_cast<size_t>(3 * n + 100)] = 4;
  e.confusion[static_cast<size_t>(100 * n + 3)] = 1;
  HtmlPage page = read_html(confusion_html(e));
  EXPECT_EQ(page.problem, "");
  EXPECT_EQ(page.count("tr"), 3);
  EXPECT_LT(page.text.find("c3c1004"), page.text.find("c100c31"));
}

TEST(Report, LeavesOutWhatThereIsNot) {
  HtmlPage page = read_html(report_html({}));
  EXPECT_EQ(page.problem, "");
  EXPECT_EQ(page.count("img") + page.count("svg"), 0);
  EXPECT_EQ(page.text.find("Mistakes"), std::string::npos);
  EXPECT_EQ(confusion_html({}), "");
  EXPECT_EQ(class_table_html({}), "");
  EXPECT_EQ(mistakes_html({}, {}), "");
  Evaluation damaged = three_classes();
  damaged.confusion.pop_back();
  EXPECT_EQ(confusion_html(damaged), "");

  TrainResult stopped = full_result();
  stopped.test = {};
  stopped.interrupted = true;
  stopped.validation = three_classes();
  page = read_html(report_html(stopped));
  EXPECT_EQ(page.problem, "");
  EXPECT_NE(page.text.find("Validation split, 20 pictures"), std::string::npos);
  EXPECT_NE(page.text.find("stopped at step 20"), std::string::npos);
}

TEST(HtmlCheck, FindsWhatIsWrong) {
  for (const char* wrong : {"<p>a", "<p>a</b></p>", "<p a=b>x</p>", "<p>a & b</p>", "<p>a > b</p>", "</p>",
                            "<p a=\"&nbsp;\">x</p>", "< p>x</p>", "<p a=\"<\">x</p>"}) {
    EXPECT_NE(read_html(wrong).problem, "") << wrong;
  }
  EXPECT_EQ(read_html("<p a=\"1\">x &amp; y<br></p>").problem, "");
}

}  // namespace
}  // namespace iskra::zoo
