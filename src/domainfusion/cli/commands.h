#pragma once
// The commands of the program, one file each below commands/. Each function adds a subcommand whose callback does the
// work; errors leave it as exceptions.

namespace CLI {
class App;
}

namespace domainfusion {

void add_demo_command(CLI::App& app);
void add_demo_data_command(CLI::App& app);
void add_data_command(CLI::App& app);
void add_train_command(CLI::App& app);
void add_evaluate_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_compare_command(CLI::App& app);
void add_reproduce_command(CLI::App& app);
void add_sweep_command(CLI::App& app);
void add_tables_command(CLI::App& app);
void add_plan_command(CLI::App& app);
void add_predict_command(CLI::App& app);
void add_pretrain_command(CLI::App& app);
void add_finetune_command(CLI::App& app);
void add_dsi_command(CLI::App& app);
void add_bench_command(CLI::App& app);
void add_generate_command(CLI::App& app);
void add_augment_command(CLI::App& app);
void add_store_command(CLI::App& app);
void add_convert_command(CLI::App& app);
void add_inspect_command(CLI::App& app);
// Below `bench`.
void add_bench_data_command(CLI::App& bench);
void add_bench_classifier_command(CLI::App& bench);
// Below `inspect`: what reads files or measures.
void add_inspect_weights_command(CLI::App& inspect);
void add_inspect_premise_command(CLI::App& inspect);
void add_inspect_latent_curve_command(CLI::App& inspect);

}  // namespace domainfusion
