// Log-likelihoods of continuations by llama.cpp's library, as fast as it does them: prompts with a common beginning read
// it once, many rests are one batch, and only the tokens that are asked about go through the output head.
// Obeys the commands `load` and `score` of generate/protocol.ts on standard input.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "llama.h"
#include "nlohmann/json.hpp"

using json = nlohmann::json;
using Tokens = std::vector<llama_token>;

// Fewer common tokens than this are not worth a pass of their own.
static const size_t LEAST_PREFIX = 64;

// Some targets of one request, to be read after the tokens of a job up to `position`.
struct Reader {
    size_t request;
    size_t position;
    llama_token target;
};

// A sequence to run, and who reads what from it: requests that differ in their last token alone share one.
struct Job {
    Tokens tokens;
    std::vector<Reader> readers;
};

static std::vector<Job> plan(const json & requests) {
    std::map<Tokens, std::vector<Reader>> shared;
    for (size_t r = 0; r < requests.size(); r++) {
        Tokens tokens = requests[r]["contextIds"].get<Tokens>();
        const Tokens targets = requests[r]["continuationIds"].get<Tokens>();
        const size_t first = tokens.size() - 1;
        tokens.insert(tokens.end(), targets.begin(), targets.end() - 1);
        auto & readers = shared[tokens];
        for (size_t t = 0; t < targets.size(); t++) readers.push_back({r, first + t, targets[t]});
    }
    std::vector<Job> jobs;
    for (auto & [tokens, readers] : shared) {
        std::stable_sort(readers.begin(), readers.end(),
                         [](const Reader & a, const Reader & b) { return a.position < b.position; });
        jobs.push_back({tokens, readers});
    }
    return jobs;
}

static size_t common(const Tokens & a, const Tokens & b) {
    return std::mismatch(a.begin(), a.begin() + std::min(a.size(), b.size()), b.begin()).first - a.begin();
}

// log(sum(exp(logits))), over the maximum.
static double log_sum(const float * logits, int count) {
    const float greatest = *std::max_element(logits, logits + count);
    float total = 0;
    for (int i = 0; i < count; i++) total += std::exp(logits[i] - greatest);
    return greatest + std::log((double) total);
}

class Scorer {
  public:
    explicit Scorer(const json & options) {
        llama_model_params model_params = llama_model_default_params();
        model_params.n_gpu_layers = 0;
        model.reset(llama_model_load_from_file(options["model"].get<std::string>().c_str(), model_params));
        if (!model) throw std::runtime_error("the model was not loaded");
        llama_context_params params = llama_context_default_params();
        params.n_ctx = options["contextSize"];
        params.n_batch = options["batchSize"];
        params.n_ubatch = options["batchSize"];
        params.n_seq_max = options["sequences"].get<int>() + 1;
        params.n_threads = options["threads"];
        params.n_threads_batch = options["threads"];
        params.flash_attn_type =
            options["flashAttention"].get<bool>() ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
        params.kv_unified = true;
        context.reset(llama_init_from_model(model.get(), params));
        if (!context) throw std::runtime_error("no context was made");
        sequences = options["sequences"];
        vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model.get()));
        batch = llama_batch_init(params.n_batch, 0, 1);
    }

    ~Scorer() { llama_batch_free(batch); }

    std::vector<double> score(const json & requests) {
        const std::vector<Job> jobs = plan(requests);
        scores.assign(requests.size(), 0);
        for (size_t begin = 0; begin < jobs.size();) {
            size_t end = begin + 1;
            size_t prefix = jobs[begin].tokens.size() - 1;
            for (; end < jobs.size(); end++) {
                const size_t shared = common(jobs[end - 1].tokens, jobs[end].tokens);
                if (shared < LEAST_PREFIX) break;
                prefix = std::min({prefix, shared, jobs[end].tokens.size() - 1});
            }
            for (size_t j = begin; j < end; j++)
                for (const Reader & reader : jobs[j].readers) prefix = std::min(prefix, reader.position);
            run_group(jobs, begin, end, end - begin > 1 ? prefix : 0);
            begin = end;
        }
        return scores;
    }

  private:
    struct ModelFree { void operator()(llama_model * each) { llama_model_free(each); } };
    struct ContextFree { void operator()(llama_context * each) { llama_free(each); } };
    std::unique_ptr<llama_model, ModelFree> model;
    std::unique_ptr<llama_context, ContextFree> context;
    llama_batch batch{};
    int sequences = 1;
    int vocabulary = 0;
    std::vector<double> scores;

    // One reading of what is asked about a token of the batch.
    struct Pending { int row; size_t request; llama_token target; };
    std::vector<Pending> pending;

    void run_group(const std::vector<Job> & jobs, size_t begin, size_t end, size_t prefix) {
        llama_memory_t memory = llama_get_memory(context.get());
        llama_memory_clear(memory, true);
        for (size_t i = 0; i < prefix; i++) add(jobs[begin].tokens[i], i, 0);
        flush();
        int sequence = 0;
        for (size_t j = begin; j < end; j++) {
            const Job & job = jobs[j];
            if (sequence == sequences || batch.n_tokens + job.tokens.size() - prefix > llama_n_batch(context.get())) {
                flush();
                for (int each = 1; each <= sequence; each++) llama_memory_seq_rm(memory, each, -1, -1);
                sequence = 0;
            }
            sequence++;
            if (prefix > 0) llama_memory_seq_cp(memory, 0, sequence, -1, -1);
            size_t reader = 0;
            for (size_t i = prefix; i < job.tokens.size(); i++) {
                add(job.tokens[i], i, sequence);
                for (; reader < job.readers.size() && job.readers[reader].position == i; reader++) {
                    batch.logits[batch.n_tokens - 1] = true;
                    pending.push_back({batch.n_tokens - 1, job.readers[reader].request, job.readers[reader].target});
                }
            }
        }
        flush();
    }

    void add(llama_token token, size_t position, llama_seq_id sequence) {
        if ((uint32_t) batch.n_tokens == llama_n_batch(context.get())) flush();
        const int i = batch.n_tokens++;
        batch.token[i] = token;
        batch.pos[i] = position;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = sequence;
        batch.logits[i] = false;
    }

    void flush() {
        if (batch.n_tokens == 0) return;
        if (llama_decode(context.get(), batch) != 0) throw std::runtime_error("llama_decode failed");
        llama_synchronize(context.get());
        int row = -1;
        double total = 0;
        for (const Pending & each : pending) {
            const float * logits = llama_get_logits_ith(context.get(), each.row);
            if (each.row != row) total = log_sum(logits, vocabulary);
            row = each.row;
            scores[each.request] += logits[each.target] - total;
        }
        pending.clear();
        batch.n_tokens = 0;
    }
};

int main() {
    // What the library prints goes to standard error; standard output carries the answers alone.
    FILE * answers = fdopen(dup(1), "w");
    dup2(2, 1);
    const auto answer = [&](const json & value) {
        fprintf(answers, "%s\n", value.dump().c_str());
        fflush(answers);
    };
    llama_log_set([](ggml_log_level level, const char * text, void *) {
        if (level == GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
    }, nullptr);
    llama_backend_init();
    json hello;
    hello["versions"]["llama.cpp"] = llama_print_system_info();
    answer(hello);
    std::unique_ptr<Scorer> scorer;
    for (std::string line; std::getline(std::cin, line);) {
        json result = json::object();
        try {
            const json command = json::parse(line);
            if (command["command"] == "load") {
                scorer.reset();
                scorer = std::make_unique<Scorer>(command);
            } else if (command["command"] == "score" && scorer) {
                const auto started = std::chrono::steady_clock::now();
                result["logProbs"] = scorer->score(command["requests"]);
                const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
                result["seconds"] = elapsed.count();
            } else {
                throw std::runtime_error("cannot do that now");
            }
        } catch (const std::exception & error) {
            result["error"] = error.what();
        }
        answer(result);
    }
}
