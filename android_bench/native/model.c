/* Opens a model through LiteRT and runs it; reads the clock, and marks what the counter counts. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runner.h"

#define DEFINE(name, arguments) int(*name) arguments;
LITERT_FUNCTIONS(DEFINE)

enum { MARK_BEGIN = 0x6c770001, MARK_END = 0x6c770002, MARK_TICK = 0x6c770003 };

/* An argument that no kernel knows: the call returns EINVAL at once, and a plugin sees it. */
static void mark(int what) { syscall(SYS_sched_get_priority_max, what); }

static int counting_ticks;
static long ticks;

/* The profilers of LiteRT and XNNPACK read this clock, since the program's own symbols come first.
   While ticks are counted, time is the number of readings so far, in microseconds, and the plugin
   notes how many instructions had run at each: a profile of times becomes one of instructions. */
int clock_gettime(clockid_t clock, struct timespec *time) {
  if (counting_ticks) {
    mark(MARK_TICK);
    time->tv_sec = ticks / 1000000;
    time->tv_nsec = ticks++ % 1000000 * 1000;
    return 0;
  }
  return (int)syscall(SYS_clock_gettime, clock, time);
}

int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

void *allocate(size_t count, size_t size) {
  void *memory = calloc(count ? count : 1, size);
  if (!memory) fail("out of memory: %zu bytes", count * size);
  return memory;
}

void open_library(const char *path) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) fail("cannot load %s: %s", path, dlerror());
#define RESOLVE(name, arguments)                                                                  \
  if (!(name = (int(*) arguments)dlsym(handle, #name)))                                           \
    fail("%s has no %s; allowed is the library of ai-edge-litert 2.3", path, #name);
  LITERT_FUNCTIONS(RESOLVE)
}

static void keep(void *memory) { (void)memory; }

void *new_options(int with_profiler) {
  static char text[128];
  static char profiling[] = "enable_profiling = true\n";
  void *made, *opaque;
  snprintf(text, sizeof text, "num_threads = %d\n%s", options.num_threads,
           options.use_xnnpack ? "" : "kernel_mode = \"builtin\"\n");
  CHECK(LiteRtCreateOptions(&made), "options");
  CHECK(LiteRtSetOptionsHardwareAccelerators(made, ACCELERATOR_CPU), "options");
  CHECK(LiteRtCreateOpaqueOptions("xnnpack", text, keep, &opaque), "options");
  CHECK(LiteRtAddOpaqueOptions(made, opaque), "options");
  if (with_profiler) {
    CHECK(LiteRtCreateOpaqueOptions("runtime_options_string", profiling, keep, &opaque), "options");
    CHECK(LiteRtAddOpaqueOptions(made, opaque), "options");
  }
  return made;
}

static void *read_file(const char *path, size_t expected, const char *tensor) {
  int file = open(path, O_RDONLY);
  struct stat facts;
  if (file < 0 || fstat(file, &facts)) fail("cannot read %s: %s", path, strerror(errno));
  if ((size_t)facts.st_size != expected)
    fail("%s holds %lld bytes, which do not fit input '%s'; allowed is %zu", path,
         (long long)facts.st_size, tensor, expected);
  char *values = allocate(1, expected);
  for (size_t done = 0; done < expected;) {
    ssize_t count = read(file, values + done, expected - done);
    if (count <= 0) fail("cannot read %s: %s", path, strerror(errno));
    done += (size_t)count;
  }
  close(file);
  return values;
}

/* Files are given in the order of the graph's tensors, buffers go in the order of the signature's:
   find the place of a tensor among the graph's. */
static const char *file_of(const Tensor *tensor, void *subgraph,
                           int (*get)(void *, size_t, void **), const char *const *files,
                           size_t count, const char *path) {
  void *other;
  for (size_t i = 0; i < count; i++) {
    CHECK(get(subgraph, i, &other), path);
    if (other == tensor->tensor) return files[i];
  }
  fail("%s: tensor '%s' of the signature is not in the graph. Convert the model again", path,
       tensor->name);
}

/* The functions for inputs, or for outputs. */
typedef struct {
  int (*count)(void *, size_t *);
  int (*of_signature)(void *, size_t, void **);
  int (*of_subgraph)(void *, size_t, void **);
  int (*requirements)(void *, size_t, size_t, void **);
} Side;

/* Open all inputs or outputs and return their number. */
static size_t open_tensors(Tensor *tensors, const char *const *files, Side side, void *signature,
                           void *environment, const Model *model) {
  void *subgraph, *requirements;
  size_t count;
  CHECK(side.count(signature, &count), model->path);
  if (count > MAX_TENSORS)
    fail("%s has %zu inputs or outputs; allowed are at most %d", model->path, count, MAX_TENSORS);
  CHECK(LiteRtGetSignatureSubgraph(signature, &subgraph), model->path);
  for (size_t i = 0; i < count; i++) {
    Tensor *tensor = &tensors[i];
    CHECK(side.of_signature(signature, i, &tensor->tensor), model->path);
    CHECK(LiteRtGetTensorName(tensor->tensor, &tensor->name), model->path);
    CHECK(LiteRtGetRankedTensorType(tensor->tensor, &tensor->type), model->path);
    tensor->file = file_of(tensor, subgraph, side.of_subgraph, files, count, model->path);
    CHECK(side.requirements(model->compiled, 0, i, &requirements), model->path);
    CHECK(LiteRtCreateManagedTensorBufferFromRequirements(environment, &tensor->type, requirements,
                                                          &tensor->buffer), model->path);
    CHECK(LiteRtGetTensorBufferPackedSize(tensor->buffer, &tensor->size), model->path);
  }
  return count;
}

void open_model(void *environment, Model *model) {
  const Side input = {LiteRtGetNumSignatureInputs, LiteRtGetSignatureInputTensorByIndex,
                      LiteRtGetSubgraphInput, LiteRtGetCompiledModelInputBufferRequirements};
  const Side output = {LiteRtGetNumSignatureOutputs, LiteRtGetSignatureOutputTensorByIndex,
                       LiteRtGetSubgraphOutput, LiteRtGetCompiledModelOutputBufferRequirements};
  void *signature;
  char head[8] = "";
  FILE *file = fopen(model->path, "rb");
  if (!file) fail("cannot read %s: %s", model->path, strerror(errno));
  if (fread(head, 1, 8, file) != 8 || memcmp(head + 4, "TFL3", 4))
    fail("%s is not a TFLite model: 'TFL3' is expected after four bytes", model->path);
  fclose(file);

  int64_t start = now_ns();
  CHECK(LiteRtCreateModelFromFile(environment, model->path, &model->model), model->path);
  CHECK(LiteRtCreateCompiledModel(environment, model->model, new_options(0), &model->compiled),
        model->path);
  model->init_us = (long)((now_ns() - start) / 1000);

  CHECK(LiteRtGetModelSignature(model->model, 0, &signature), model->path);
  model->num_inputs = open_tensors(model->inputs, model->input_files, input, signature,
                                   environment, model);
  model->num_outputs = open_tensors(model->outputs, model->output_files, output, signature,
                                    environment, model);
  if (model->given_inputs != model->num_inputs)
    fail("%zu input files do not fit the %zu inputs of %s; allowed is one for each",
         model->given_inputs, model->num_inputs, model->path);
  for (size_t i = 0; i < model->num_inputs; i++) {
    Tensor *tensor = &model->inputs[i];
    tensor->values = read_file(tensor->file, tensor->size, tensor->name);
  }
  model->sessions = allocate((size_t)options.sessions, sizeof *model->sessions);
}

/* One inference on fresh inputs, in microseconds. */
long invoke(Model *model, void *compiled, enum Marking marking) {
  void *inputs[MAX_TENSORS], *outputs[MAX_TENSORS], *memory;
  for (size_t i = 0; i < model->num_inputs; i++) {
    inputs[i] = model->inputs[i].buffer;
    CHECK(LiteRtLockTensorBuffer(inputs[i], &memory, FOR_WRITING), model->path);
    memcpy(memory, model->inputs[i].values, model->inputs[i].size);
    CHECK(LiteRtUnlockTensorBuffer(inputs[i]), model->path);
  }
  for (size_t i = 0; i < model->num_outputs; i++) outputs[i] = model->outputs[i].buffer;
  int64_t start = now_ns();
  counting_ticks = marking == TICKS;
  if (marking == MARKERS) mark(MARK_BEGIN);
  int status = LiteRtRunCompiledModel(compiled, 0, model->num_inputs, inputs, model->num_outputs,
                                      outputs);
  if (marking == MARKERS) mark(MARK_END);
  counting_ticks = 0;
  int64_t end = now_ns();
  if (status) fail("%s: inference failed with LiteRT status %d", model->path, status);
  return (long)((end - start) / 1000);
}
