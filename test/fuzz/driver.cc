// Stands in for libFuzzer where there is no clang: runs a target on every file of the folders named, then on
// mutations of them until the time is up. `driver SECONDS FINDING FOLDER...`; the input that was running when
// the target died is written to FINDING.
#include <sanitizer/common_interface_defs.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::string running;
const char* finding;

void save() {
  std::ofstream(finding, std::ios::binary) << running;
  fprintf(stderr, "the input is in %s\n", finding);
}

void run(const std::string& input) {
  running = input;
  // A copy of exactly that size, so that a look past its end is caught.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& seeds) : seeds_(seeds), random_(std::random_device{}()) {}

  std::string next() {
    std::string text = any();
    for (size_t wounds = 1 + below(4); wounds > 0; --wounds) {
      const size_t at = below(text.size() + 1);
      switch (below(5)) {
        case 0:
          text.insert(at, 1, static_cast<char>(below(256)));
          break;
        case 1:
          text.erase(at, 1 + below(8));
          break;
        case 2:
          text.insert(at, text.substr(below(text.size() + 1), 1 + below(300)));
          break;
        case 3:
          text.insert(at, words[below(std::size(words))]);
          break;
        default:
          text = text.substr(0, at) + any();
          break;
      }
    }
    return text.substr(0, 20'000);
  }

 private:
  static constexpr const char* words[] = {"\r",
                                          "\n",
                                          "\r\n",
                                          "\r\n\r\n",
                                          "\n\n",
                                          "0\r\n",
                                          "0\r\n\r\n",
                                          "f",
                                          ";",
                                          ":",
                                          " ",
                                          "\t",
                                          "X: a\r\n",
                                          "Content-Length: 5\r\n",
                                          "transfer_encoding: chunked\r\n"};
  size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  const std::string& any() { return seeds_[below(seeds_.size())]; }

  const std::vector<std::string>& seeds_;
  std::mt19937_64 random_;
};

}  // namespace

int main(int count, char** words) {
  if (count < 4) return 2;
  finding = words[2];
  __sanitizer_set_death_callback(save);
  signal(SIGABRT, [](int) {
    save();
    _Exit(1);
  });
  std::vector<std::string> seeds{""};
  for (int i = 3; i < count; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(words[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(atoi(words[1]));
  for (const std::string& seed : seeds) run(seed);
  size_t executions = seeds.size();
  for (Mutator mutator(seeds); std::chrono::steady_clock::now() < deadline; ++executions) run(mutator.next());
  printf("stat::number_of_executed_units: %zu\n", executions);
}
