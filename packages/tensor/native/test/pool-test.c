/* The pool: every piece once, whoever asks, whether its threads sleep or wait. */
#include "check.h"
#include "../pool.h"

enum { MOST_PIECES = 300, JOBS = 3000, CALLERS = 3 };

typedef struct {
  _Atomic int done[MOST_PIECES];
  int refused;
} Job;

static void count_piece(void *job, size_t index) { ((Job *)job)->done[index]++; }

/* How many pieces were not done exactly once. */
static size_t wrong_pieces(Job *job, size_t threads, size_t count) {
  memset(job, 0, sizeof *job);
  if (!pool_run(threads, count_piece, count, job)) {
    job->refused = 1;
    for (size_t i = 0; i < count; i++) count_piece(job, i);
  }
  size_t wrong = 0;
  for (size_t i = 0; i < MOST_PIECES; i++) wrong += job->done[i] != (i < count);
  return wrong;
}

static void *many_jobs(void *value) {
  uint64_t state = (uint64_t)(size_t)value + 1;
  size_t wrong = 0;
  Job job;
  for (int i = 0; i < JOBS; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    wrong += wrong_pieces(&job, 2 + (state >> 33) % 4, 2 + (state >> 40) % (MOST_PIECES - 1));
    if (i % 500 == 0) nanosleep(&(struct timespec){0, 1000000}, NULL); /* so that workers fall asleep */
  }
  return (void *)wrong;
}

static void ask_again(void *refusal, size_t index) {
  Job job;
  if (index > 0) return;
  *(int *)refusal = wrong_pieces(&job, 2, 5) == 0 && job.refused;
}

/* A hint may be anything: it changes no job. */
static size_t wrong_after_hints(void) {
  static const char memory[1 << 12];
  Job job;
  size_t wrong = 0;
  for (int i = 0; i < JOBS; i++) {
    if (i % 3 == 0) pool_read_ahead(memory, sizeof memory);
    else pool_read_ahead((const void *)(uintptr_t)(i % 3 == 1 ? 64 : UINTPTR_MAX - 100), 1 << 20);
    wrong += wrong_pieces(&job, 3, 7);
  }
  return wrong;
}

int main(void) {
  pthread_t callers[CALLERS];
  int refusal = 0;
  void *wrong = many_jobs(NULL);
  CHECK(wrong == NULL, "one caller: %zu pieces not done once", (size_t)wrong);
  size_t after_hints = wrong_after_hints();
  CHECK(after_hints == 0, "after hints: %zu pieces not done once", after_hints);
  for (size_t i = 0; i < CALLERS; i++) pthread_create(&callers[i], NULL, many_jobs, (void *)i);
  for (size_t i = 0; i < CALLERS; i++) {
    pthread_join(callers[i], &wrong);
    CHECK(wrong == NULL, "several callers: %zu pieces not done once", (size_t)wrong);
  }
  CHECK(pool_run(2, ask_again, 2, &refusal), "an idle pool refuses a job");
  CHECK(refusal, "a pool with a job takes another");
  return check_report("pool");
}
