// domainfusion report: runs as one page for a browser.

#include "domainfusion/cli/commands.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/report/html/page.h"
#include "domainfusion/report/html/report_data.h"

namespace domainfusion {
namespace {

struct ReportArguments {
  std::vector<std::string> folders;
  std::string out;
  ReportRequest request;
};

void write_report(const ReportArguments& arguments) {
  ReportRequest request = arguments.request;
  request.folders = {arguments.folders.begin(), arguments.folders.end()};
  const nlohmann::json data = report_data(request);
  for (const auto& what : data.at("unreadable")) log_warning("left out: {}", what.get_ref<const std::string&>());
  const std::string page = report_page(data);
  write_file_atomically(arguments.out, page);
  log_info("{} runs in '{}', {:.1f} MB: open it in a browser", data.at("runs").size(), arguments.out,
           static_cast<double>(page.size()) * 1e-6);
}

}  // namespace

void add_report_command(Command& app) {
  Command command = app.add("report", "one page for a browser that shows runs: curves, accuracy, pictures, tables");
  auto arguments = std::make_shared<ReportArguments>();
  command.option("folders", arguments->folders, "run folders, or folders below which runs are looked for").required();
  command.option("--out", arguments->out, "the file to write, report.html").required();
  command
      .option("--max-mb", arguments->request.max_mb, "of the page; pictures beyond it are left out, and counted there")
      .within(1, 2000)
      .default_shown();
  command
      .option("--images", arguments->request.most_images,
              "of a domain, that a run's model is asked about; of more, a draw")
      .within(1, 1e9)
      .default_shown();
  command.run([arguments] { write_report(*arguments); });
}

}  // namespace domainfusion
