/* What the runner's three parts share: the options, the opened models and the document. */

#ifndef RUNNER_H
#define RUNNER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "litert.h"

#define MAX_MODELS 16
#define MAX_TENSORS 16

typedef struct {
  void *tensor, *buffer;
  TensorType type;
  const char *name, *file;
  void *values;
  size_t size;
} Tensor;

typedef struct {
  long *values;
  size_t count, capacity;
} Times;

typedef struct {
  const char *path;
  void *model, *compiled;
  size_t num_inputs, num_outputs;
  Tensor inputs[MAX_TENSORS], outputs[MAX_TENSORS];
  const char *input_files[MAX_TENSORS], *output_files[MAX_TENSORS];
  size_t given_inputs, given_outputs;
  long init_us;
  Times warmup, *sessions;
} Model;

/* Names, meanings and defaults of benchmark_model, but for the last four. */
struct Options {
  int num_threads, use_xnnpack, num_runs, warmup_runs;
  double min_secs, max_secs, warmup_min_secs, run_delay;
  int sessions;
  double session_pause;
  int markers, profile;
};

extern struct Options options;
extern Model models[MAX_MODELS];
extern size_t num_models;

/* model.c */
int64_t now_ns(void);
void *allocate(size_t count, size_t size);
void *new_options(int with_profiler);
void open_model(void *environment, Model *model);
enum Marking { NOTHING, MARKERS, TICKS };
long invoke(Model *model, void *compiled, enum Marking marking);

/* document.c */
void open_document(void);
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
double peak_memory_mb(void);
void print_document(void *environment, double base, double init_memory, double peak_memory);
int close_document(void);

#endif
