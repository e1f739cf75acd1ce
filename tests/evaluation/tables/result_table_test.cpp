#include "domainfusion/evaluation/tables/result_table.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"

namespace domainfusion {

TEST(ResultTable, GivesMeansWithStandardErrorsOverRuns) {
  ResultTable table;
  table.add("erm", "cartoon", 0.50);
  table.add("erm", "cartoon", 0.54);
  table.add("domainfusion", "cartoon", 0.60);
  EXPECT_EQ(table.text(),
            "accuracy, %      cartoon\n"
            "erm           52.0 ± 1.4\n"
            "domainfusion        60.0\n");
}

TEST(ResultTable, SeveralTargetsHaveAMeanUnlessOneIsMissing) {
  ResultTable table;
  table.add("erm", "cartoon", 0.5);
  table.add("erm", "sketch", 0.7);
  table.add("swad", "sketch", 0.8);
  EXPECT_EQ(table.markdown(),
            "| accuracy, % | cartoon | sketch | mean |\n|---|---:|---:|---:|\n| erm | 50.0 | 70.0 | 60.0 |\n| swad | - "
            "| 80.0 | - |\n");
}

TEST(ResultTable, GroupsHeadTheirRowsAndFactsStandBehindTheFigures) {
  ResultTable table;
  table.add("erm", "sketch", 0.5);
  table.add("swad", "sketch", 0.6);
  table.add("sam", "sketch", 0.7);
  table.group("swad", "averaging");
  table.group("sam", "averaging");
  table.add_fact("swad", "time", "3m");
  EXPECT_EQ(table.text(),
            "accuracy, %  sketch  time\n"
            "erm            50.0\n"
            "[averaging]\n"
            "swad           60.0    3m\n"
            "sam            70.0\n");
  EXPECT_NE(table.csv().find("runs,expected,time\n"), std::string::npos);
  EXPECT_NE(table.csv().find("swad,sketch,60,0,1,1,3m\n"), std::string::npos);
}

TEST(ResultTable, ClassRowsHoldAccuracyAndConfusion) {
  const auto cells = class_cells({{3, 1}, {0, 0}}, {"cat", "dog"});
  EXPECT_EQ(cells[1], (std::vector<std::string>{"cat", "4", "75.0", "3", "1"}));
  EXPECT_EQ(cells[2], (std::vector<std::string>{"dog", "0", "-", "0", "0"}));
  EXPECT_THROW(class_cells({{1}}, {"cat", "dog"}), FormatError);
}

TEST(DescribeRun, SaysTheFitAndWarnsOfAnUnderFittedRun) {
  RunResult run;
  run.algorithm = "erm";
  EXPECT_EQ(describe_run(run).find("training accuracy"), std::string::npos) << "of older runs it is not known";
  run.fit = FitRecord{10, 0.9612, 0.1234, 640};
  EXPECT_NE(describe_run(run).find("training accuracy of the last epoch: 96.1 %, cross-entropy 0.123 (640 images)\n"),
            std::string::npos);
  EXPECT_EQ(describe_run(run).find("under-fitted"), std::string::npos);
  run.fit->accuracy = 0.8;
  EXPECT_NE(describe_run(run).find("under-fitted: training accuracy 80.0 %; differences between systems say little"),
            std::string::npos);
}

TEST(Selection, TakesTheFirstBestValidationOfARun) {
  const std::vector<ValidationRecord> validations{{1, {}, 0.5, 0}, {2, {}, 0.7, 0}, {3, {}, 0.7, 0}};
  EXPECT_EQ(select_by_source_validation(validations)->step, 2);
  EXPECT_EQ(select_by_source_validation({}), nullptr);
}

}  // namespace domainfusion
