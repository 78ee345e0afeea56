/* Times a .tflite model through libLiteRt.so and prints one JSON document in the form of worker.py.

   For phones, which have no Python, and for emulated cores, where Python's start-up takes seconds.
   The library is opened at run time, so building needs neither its headers nor the library itself;
   the prototypes are in litert.h. Inputs are files of raw values, made by the host.

   usage: runner [OPTION VALUE]... MODEL --input FILE... [--output FILE]... [MODEL ...]

   With --markers 1 each inference is enclosed in two harmless system calls, which the instruction
   counter (count.c) sees. With --profile N each model runs N more times under LiteRT's profiler. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "runner.h"

struct Options options = {
    .num_threads = 1, .use_xnnpack = 1, .num_runs = 50, .warmup_runs = 1, .min_secs = 1.0,
    .max_secs = 150.0, .warmup_min_secs = 0.5, .run_delay = -1, .sessions = 1,
};
Model models[MAX_MODELS];
size_t num_models;
static const char *library = "libLiteRt.so";
static unsigned long affinity;

static void pause_secs(double seconds) {
  struct timespec time = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
  while (seconds > 0 && nanosleep(&time, &time) && errno == EINTR) continue;
}

/* benchmark_model's loop: until both the runs and the seconds are reached, or the time is up. */
static void loop(Model *model, Times *times, int runs, double least, double most) {
  int64_t start = now_ns();
  double passed = 0;
  while (((int)times->count < runs || passed < least) && passed <= most) {
    if (times->count == times->capacity) {
      times->capacity = times->capacity ? 2 * times->capacity : 64;
      times->values = realloc(times->values, times->capacity * sizeof *times->values);
      if (!times->values) fail("out of memory");
    }
    times->values[times->count++] = invoke(model, model->compiled,
                                           options.markers ? MARKERS : NOTHING);
    pause_secs(options.run_delay);
    passed = (double)(now_ns() - start) / 1e9;
  }
}

static double number(const char *option, const char *text) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end) fail("%s '%s' is no number; allowed is a number", option, text);
  return value;
}

static void parse(int count, char **arguments) {
  static const struct { const char *name; int *whole; double *real; } known[] = {
      {"--num_threads", &options.num_threads, 0},
      {"--use_xnnpack", &options.use_xnnpack, 0},
      {"--num_runs", &options.num_runs, 0},
      {"--warmup_runs", &options.warmup_runs, 0},
      {"--min_secs", 0, &options.min_secs},
      {"--max_secs", 0, &options.max_secs},
      {"--warmup_min_secs", 0, &options.warmup_min_secs},
      {"--run_delay", 0, &options.run_delay},
      {"--sessions", &options.sessions, 0},
      {"--session_pause", 0, &options.session_pause},
      {"--markers", &options.markers, 0},
      {"--profile", &options.profile, 0},
  };
  for (int i = 1; i < count; i++) {
    const char *name = arguments[i];
    if (strncmp(name, "--", 2)) {
      if (num_models == MAX_MODELS) fail("too many models; allowed are at most %d", MAX_MODELS);
      models[num_models++].path = name;
      continue;
    }
    if (i + 1 == count) fail("%s has no value. Give one after it", name);
    const char *value = arguments[++i];
    if (!strcmp(name, "--library")) {
      library = value;
    } else if (!strcmp(name, "--affinity")) {
      affinity = strtoul(value, NULL, 16);
    } else if (!strcmp(name, "--input") || !strcmp(name, "--output")) {
      if (!num_models) fail("%s stands before all models; allowed is after its model", name);
      Model *model = &models[num_models - 1];
      size_t *given = name[2] == 'i' ? &model->given_inputs : &model->given_outputs;
      const char **files = name[2] == 'i' ? model->input_files : model->output_files;
      if (*given == MAX_TENSORS) fail("too many %s; allowed are at most %d", name, MAX_TENSORS);
      files[(*given)++] = value;
    } else {
      size_t k = 0, all = sizeof known / sizeof *known;
      while (k < all && strcmp(known[k].name, name)) k++;
      if (k == all)
        fail("option %s is unknown; allowed are --library, --affinity, --input, --output and those "
             "of benchmark_model", name);
      if (known[k].whole) *known[k].whole = (int)number(name, value);
      else *known[k].real = number(name, value);
    }
  }
  if (!num_models) fail("there is no model to run. Name one or more .tflite files");
  if (options.num_threads < 1 || options.sessions < 1)
    fail("--num_threads %d or --sessions %d is out of range; allowed is 1 or more",
         options.num_threads, options.sessions);
}

int main(int count, char **arguments) {
  void *environment;
  prctl(PR_SET_PDEATHSIG, 9); /* nothing outlives a lost run */
  open_document();
  parse(count, arguments);
  if (affinity) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    for (int cpu = 0; cpu < 64; cpu++)
      if (affinity >> cpu & 1) CPU_SET(cpu, &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus))
      fail("affinity 0x%lx does not fit this device's CPUs: %s", affinity, strerror(errno));
  }
  open_library(library);
  int refs = open("/proc/self/clear_refs", O_WRONLY);
  if (refs >= 0 && write(refs, "5", 1) != 1) errno = 0; /* an older kernel: the peak stays */
  if (refs >= 0) close(refs);
  double base = peak_memory_mb();

  CHECK(LiteRtCreateEnvironment(0, NULL, &environment), "environment");
  for (size_t i = 0; i < num_models; i++) open_model(environment, &models[i]);
  double init_memory = peak_memory_mb();
  for (size_t i = 0; i < num_models; i++)
    loop(&models[i], &models[i].warmup, options.warmup_runs, options.warmup_min_secs,
         options.max_secs);
  for (int session = 0; session < options.sessions; session++) {
    if (session) pause_secs(options.session_pause);
    for (size_t i = 0; i < num_models; i++) { /* the order turns by one from session to session */
      Model *model = &models[(i + (size_t)session) % num_models];
      loop(model, &model->sessions[session], options.num_runs, options.min_secs, options.max_secs);
    }
  }
  print_document(environment, base, init_memory, peak_memory_mb());
  _exit(close_document() ? 3 : 0); /* LiteRT's threads may be running: no clean-up */
}
