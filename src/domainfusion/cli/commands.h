#pragma once
// The commands of the program, one file each below commands/. Each function adds a subcommand whose callback does the
// work; errors leave it as exceptions.

#include <string>

#include "domainfusion/cli/command.h"

namespace domainfusion {

void add_demo_command(Command& app);
void add_demo_data_command(Command& app);
void add_data_command(Command& app);
void add_fetch_command(Command& app);
void add_train_command(Command& app);
void add_evaluate_command(Command& app);
void add_export_command(Command& app);
void add_compare_command(Command& app);
void add_report_command(Command& app);
void add_reproduce_command(Command& app);
void add_sweep_command(Command& app);
void add_soup_command(Command& app);
void add_tables_command(Command& app);
void add_plan_command(Command& app);
void add_predict_command(Command& app);
void add_pretrain_command(Command& app);
void add_finetune_command(Command& app);
void add_doctor_command(Command& app);
void add_dsi_command(Command& app);
void add_bench_command(Command& app);
void add_generate_command(Command& app);
void add_augment_command(Command& app);
void add_store_command(Command& app);
void add_launch_command(Command& app);
void add_convert_command(Command& app);
void add_inspect_command(Command& app);
// `completions` and `manual`, which show all commands that were added to `app` when they run.
void add_manual_commands(Command& app, const std::string& version);
// Below `bench`.
void add_bench_data_command(Command& bench);
void add_bench_classifier_command(Command& bench);
void add_bench_candidates_command(Command& bench);
// Below `inspect`: what reads files or measures.
void add_inspect_weights_command(Command& inspect);
void add_inspect_premise_command(Command& inspect);
void add_inspect_latent_curve_command(Command& inspect);

}  // namespace domainfusion
