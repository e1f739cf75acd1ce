#include <csetjmp>
#include <cstdio>
// libjpeg's headers need <cstdio> before them.
#include <jerror.h>
#include <jpeglib.h>

#include "domainfusion/core/error.h"
#include "domainfusion/io/images/image_codecs.h"

namespace domainfusion {
namespace {

// A progressive file may repeat scans without end; real ones have about ten.
constexpr int kMaxScans = 500;
constexpr const char* kCutOff = "the JPEG data is cut off";

struct JpegDecoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf on_error{};
  char message[JMSG_LENGTH_MAX] = "";
  bool header_is_read = false;
  bool ended_early = false;  // the bytes ended before the end mark

  JpegDecoder() {
    info.err = jpeg_std_error(&errors);
    info.client_data = this;
    errors.error_exit = [](j_common_ptr common) {
      give_up(common, static_cast<JpegDecoder*>(common->client_data)->ended_early ? kCutOff : nullptr);
    };
    errors.output_message = [](j_common_ptr) {};
    errors.emit_message = [](j_common_ptr common, int level) {
      if (level < 0) static_cast<JpegDecoder*>(common->client_data)->judge(common);
    };
    progress.progress_monitor = [](j_common_ptr common) {
      if (reinterpret_cast<j_decompress_ptr>(common)->input_scan_number > kMaxScans) {
        give_up(common, "the JPEG has too many scans");
      }
    };
  }
  ~JpegDecoder() { jpeg_destroy_decompress(&info); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  [[noreturn]] static void give_up(j_common_ptr common, const char* cause) {
    auto* self = static_cast<JpegDecoder*>(common->client_data);
    if (cause != nullptr) {
      std::snprintf(self->message, sizeof(self->message), "%s", cause);
    } else {
      common->err->format_message(common, self->message);
    }
    std::longjmp(self->on_error, 1);
  }

  // libjpeg warns when the bytes end, and once more where it has to make up values of pixels.
  void judge(j_common_ptr common) {
    const int warning = common->err->msg_code;
    if (warning == JWRN_JPEG_EOF) ended_early = true;
    if (ended_early && (!header_is_read || warning == JWRN_HIT_MARKER)) give_up(common, kCutOff);
  }
  // Whether every scan has come: a file with several may end between two of them.
  bool has_all_scans() const {
    if (info.arith_code) return false;  // warns of nothing
    for (int c = 0; c < info.num_components; ++c) {
      if (info.comp_info[c].quant_table == nullptr) return false;
      for (int k = 0; info.progressive_mode && k < DCTSIZE2; ++k) {
        if (info.coef_bits[c][k] != 0) return false;
      }
    }
    return true;
  }

  // The next three return false with `message` set. They hold no objects with destructors: libjpeg leaves them by
  // longjmp.
  bool read_header(std::string_view bytes) {
    if (setjmp(on_error) != 0) return false;
    jpeg_create_decompress(&info);
    info.progress = &progress;
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&info, TRUE);
    header_is_read = true;
    return true;
  }
  bool start(J_COLOR_SPACE space) {
    if (setjmp(on_error) != 0) return false;
    info.out_color_space = space;
    jpeg_start_decompress(&info);
    return true;
  }
  bool read_rows(std::uint8_t* rows, std::size_t row_bytes) {
    if (setjmp(on_error) != 0) return false;
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = rows + info.output_scanline * row_bytes;
      jpeg_read_scanlines(&info, &row, 1);
    }
    if (ended_early && !has_all_scans()) give_up(reinterpret_cast<j_common_ptr>(&info), kCutOff);
    return true;
  }
};

// a * b / 255, rounded.
int times_of_255(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

// Adobe writes inverted CMYK: the stored byte is 255 minus the ink.
std::vector<std::uint8_t> rgb_of_inverted_cmyk(const std::vector<std::uint8_t>& cmyk) {
  std::vector<std::uint8_t> rgb(cmyk.size() / 4 * 3);
  for (std::size_t i = 0; i < cmyk.size() / 4; ++i) {
    const int light = cmyk[4 * i + 3];
    for (int c = 0; c < 3; ++c) {
      rgb[3 * i + c] = static_cast<std::uint8_t>(light - times_of_255(255 - cmyk[4 * i + c], light));
    }
  }
  return rgb;
}

}  // namespace

Image decode_jpeg(std::string_view bytes) {
  JpegDecoder decoder;
  check<FormatError>(decoder.read_header(bytes), "broken JPEG: {}", decoder.message);
  check_image_size(decoder.info.image_width, decoder.info.image_height);
  const bool cmyk = decoder.info.num_components == 4;
  check<FormatError>(decoder.start(cmyk ? JCS_CMYK : JCS_RGB), "broken JPEG: {}", decoder.message);
  Image image{static_cast<int>(decoder.info.output_height), static_cast<int>(decoder.info.output_width), {}};
  const std::size_t row_bytes = (cmyk ? 4u : 3u) * static_cast<std::size_t>(image.width);
  image.rgb.resize(row_bytes * static_cast<std::size_t>(image.height));
  check<FormatError>(decoder.read_rows(image.rgb.data(), row_bytes), "broken JPEG: {}", decoder.message);
  if (cmyk) image.rgb = rgb_of_inverted_cmyk(image.rgb);
  return image;
}

}  // namespace domainfusion
