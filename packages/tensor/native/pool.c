/* Workers that look for the next job in a busy loop before they sleep: the operators of one token follow each other within
   microseconds, and waking a sleeping thread takes longer than most of them. */
#include "pool.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define MAX_WORKERS 255
#define SPIN_NANOSECONDS 50000 /* longer than most gaps between two jobs of a run */
#define SPINS 64               /* looks between two readings of the clock, or before the processor is lent to others */
#define LINE 64                /* bytes that come from memory together */
#define LINES 8                /* that are asked for between two looks */

typedef struct {
  /* The job. Written while `left` is 0 and `unfinished` too, so that nobody reads it. */
  Task task;
  void *argument;
  size_t count;
  _Atomic size_t left;       /* pieces that nobody has taken; taking is counting down */
  _Atomic size_t unfinished; /* pieces that have not been computed */
  _Atomic size_t wanted;     /* workers that may take part */
  _Atomic size_t asleep;
  size_t workers; /* that have been started */
  atomic_flag is_busy;
  _Alignas(LINE) _Atomic uintptr_t ahead; /* memory that is read next: from here ... */
  _Atomic uintptr_t ahead_end;            /* ... to here */
} Pool;

static Pool pool = {.is_busy = ATOMIC_FLAG_INIT};
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t job_came = PTHREAD_COND_INITIALIZER;

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

/* Computes one piece, if there is one. */
static int take_piece(void) {
  size_t left = atomic_load(&pool.left);
  do
    if (left == 0) return 0;
  while (!atomic_compare_exchange_weak(&pool.left, &left, left - 1));
  pool.task(pool.argument, pool.count - left);
  atomic_fetch_sub(&pool.unfinished, 1);
  return 1;
}

static int has_work(size_t worker) {
  return atomic_load(&pool.left) > 0 && worker < atomic_load(&pool.wanted);
}

static int64_t nanoseconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Fetches a little of what is read next, if there is any left. Where nothing is any more, this does nothing. */
static int fetch_ahead(void) {
  if (atomic_load(&pool.ahead) >= atomic_load(&pool.ahead_end)) return 0;
  uintptr_t from = atomic_fetch_add(&pool.ahead, LINES * LINE);
  for (uintptr_t at = from; at < from + LINES * LINE; at += LINE) __builtin_prefetch((const void *)at, 0, 2);
  return 1;
}

/* Looks for a job for a while, and reads ahead meanwhile; whether there is one. */
static int spin(size_t worker) {
  int64_t end = nanoseconds_now() + SPIN_NANOSECONDS;
  do
    for (int i = 0; i < SPINS; i++) {
      if (has_work(worker)) return 1;
      if (!fetch_ahead()) pause_briefly();
    }
  while (nanoseconds_now() < end);
  return 0;
}

void pool_read_ahead(const void *from, size_t bytes) {
  atomic_store(&pool.ahead_end, 0);
  atomic_store(&pool.ahead, (uintptr_t)from);
  atomic_store(&pool.ahead_end, (uintptr_t)from + bytes);
}

/* A job is announced before `asleep` is read, and `asleep` counted before the job is looked for: one sees the other. */
static void sleep_until_work(size_t worker) {
  pthread_mutex_lock(&mutex);
  atomic_fetch_add(&pool.asleep, 1);
  while (!has_work(worker)) pthread_cond_wait(&job_came, &mutex);
  atomic_fetch_sub(&pool.asleep, 1);
  pthread_mutex_unlock(&mutex);
}

static void wake_workers(void) {
  pthread_mutex_lock(&mutex);
  pthread_cond_broadcast(&job_came);
  pthread_mutex_unlock(&mutex);
}

static void *work(void *number) {
  size_t worker = (size_t)number;
  for (;;) {
    if (!spin(worker)) sleep_until_work(worker);
    while (take_piece()) continue;
  }
  return NULL;
}

/* Workers take no signals: these are for the process's own threads. With fewer threads than wanted the job takes longer. */
static void start_workers(size_t count) {
  sigset_t all, before;
  if (count > MAX_WORKERS) count = MAX_WORKERS;
  if (pool.workers >= count) return;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (pthread_t thread; pool.workers < count; pool.workers++) {
    if (pthread_create(&thread, NULL, work, (void *)pool.workers) != 0) break;
    pthread_detach(thread);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int pool_run(size_t threads, Task task, size_t count, void *argument) {
  if (atomic_flag_test_and_set(&pool.is_busy)) return 0;
  start_workers(threads - 1);
  pool.task = task, pool.argument = argument, pool.count = count;
  atomic_store(&pool.wanted, threads - 1);
  atomic_store(&pool.unfinished, count);
  atomic_store(&pool.left, count);
  if (atomic_load(&pool.asleep) > 0) wake_workers();
  while (take_piece()) continue;
  for (int i = 1; atomic_load(&pool.unfinished) > 0; i++) {
    pause_briefly();
    if (i % (64 * SPINS) == 0) sched_yield();
  }
  atomic_flag_clear(&pool.is_busy);
  return 1;
}
