/* Times a .tflite model through libLiteRt.so and prints one JSON document in the form of worker.py.

   For phones, which have no Python, and for emulated cores, where Python's start-up takes seconds.
   The library is opened at run time, so building needs neither its headers nor the library itself;
   the prototypes below are those of LiteRT 2.3. Inputs are files of raw values, made by the host.

   usage: runner --library libLiteRt.so [OPTION VALUE]... MODEL --input FILE [--output FILE]... [MODEL ...]

   With --markers 1 each inference is enclosed in two harmless system calls, which the instruction
   counter (count.c) sees. With --profile N each model runs N more times under LiteRT's profiler. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define MAX_MODELS 16
#define MAX_TENSORS 16
#define MAX_RANK 8

/* --- LiteRT's C interface: handles are opaque, a status of 0 means success --------------------- */

typedef struct {
  int32_t element_type;
  uint32_t rank : 7, has_strides : 1;
  int32_t dimensions[MAX_RANK];
  uint32_t strides[MAX_RANK];
} TensorType;

typedef struct {
  const char *tag;
  uint64_t type; /* 2: an op; 8: an op inside a delegate; 1 and 32: whole run, telemetry */
  uint64_t start_us, elapsed_us;
  uint64_t memory[6];
  uint64_t index, subgraph;
  uint64_t source;
} ProfilerEvent;

enum { ACCELERATOR_CPU = 1, FOR_READING = 0, FOR_WRITING = 1 };

#define LITERT_FUNCTIONS(F)                                                                       \
  F(LiteRtCreateEnvironment, (int, const void *, void **))                                        \
  F(LiteRtCreateModelFromFile, (void *, const char *, void **))                                   \
  F(LiteRtGetModelSignature, (void *, size_t, void **))                                           \
  F(LiteRtGetNumSignatureInputs, (void *, size_t *))                                              \
  F(LiteRtGetNumSignatureOutputs, (void *, size_t *))                                             \
  F(LiteRtGetSignatureInputTensorByIndex, (void *, size_t, void **))                              \
  F(LiteRtGetSignatureOutputTensorByIndex, (void *, size_t, void **))                             \
  F(LiteRtGetTensorName, (void *, const char **))                                                 \
  F(LiteRtGetRankedTensorType, (void *, TensorType *))                                            \
  F(LiteRtCreateOptions, (void **))                                                               \
  F(LiteRtSetOptionsHardwareAccelerators, (void *, int))                                          \
  F(LiteRtCreateOpaqueOptions, (const char *, void *, void (*)(void *), void **))                 \
  F(LiteRtAddOpaqueOptions, (void *, void *))                                                     \
  F(LiteRtCreateCompiledModel, (void *, void *, void *, void **))                                 \
  F(LiteRtGetCompiledModelInputBufferRequirements, (void *, size_t, size_t, void **))             \
  F(LiteRtGetCompiledModelOutputBufferRequirements, (void *, size_t, size_t, void **))            \
  F(LiteRtCreateManagedTensorBufferFromRequirements,                                              \
    (void *, const TensorType *, void *, void **))                                                \
  F(LiteRtGetTensorBufferPackedSize, (void *, size_t *))                                          \
  F(LiteRtLockTensorBuffer, (void *, void **, int))                                               \
  F(LiteRtUnlockTensorBuffer, (void *))                                                           \
  F(LiteRtRunCompiledModel, (void *, size_t, size_t, void **, size_t, void **))                   \
  F(LiteRtCompiledModelGetProfiler, (void *, void **))                                            \
  F(LiteRtStartProfiler, (void *))                                                                \
  F(LiteRtStopProfiler, (void *))                                                                 \
  F(LiteRtGetNumProfilerEvents, (void *, int *))                                                  \
  F(LiteRtGetProfilerEvents, (void *, int, ProfilerEvent *))

#define DECLARE(name, arguments) static int(*name) arguments;
LITERT_FUNCTIONS(DECLARE)

/* --- Options ----------------------------------------------------------------------------------- */

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
  void *model, *compiled, *options;
  size_t num_inputs, num_outputs;
  Tensor inputs[MAX_TENSORS], outputs[MAX_TENSORS];
  size_t given_inputs, given_outputs;
  long init_us;
  Times warmup, *sessions;
} Model;

static const char *library = "libLiteRt.so";
static int num_threads = 1, use_xnnpack = 1, num_runs = 50, warmup_runs = 1, sessions = 1;
static int markers, profile;
static double min_secs = 1.0, max_secs = 150.0, warmup_min_secs = 0.5, run_delay = -1;
static double session_pause;
static unsigned long affinity;
static Model models[MAX_MODELS];
static size_t num_models;
static FILE *document;

/* --- Errors: one line of JSON, exit code 3, as worker.py --------------------------------------- */

static void print_string(const char *text) {
  putc('"', document);
  for (; *text; text++) {
    unsigned char c = *text;
    if (c == '"' || c == '\\') fprintf(document, "\\%c", c);
    else if (c < 0x20) fprintf(document, "\\u%04x", c);
    else putc(c, document);
  }
  putc('"', document);
}

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void fail(const char *format, ...) {
  char text[4096];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fputs("{\"error\": ", document);
  print_string(text);
  fputs("}\n", document);
  fflush(document);
  _exit(3); /* LiteRT's threads may be running: no clean-up */
}

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count ? count : 1, size);
  if (!memory) fail("out of memory: %zu bytes", count * size);
  return memory;
}

#define CHECK(call, path)                                                                         \
  do {                                                                                            \
    int status = (call);                                                                          \
    if (status) fail("%s: %.*s failed with LiteRT status %d", path,                               \
                     (int)strcspn(#call, "("), #call, status);                                    \
  } while (0)

/* --- Clock and markers ------------------------------------------------------------------------- */

enum { MARK_BEGIN = 0x6c770001, MARK_END = 0x6c770002, MARK_TICK = 0x6c770003 };

/* An argument that no kernel knows: the call returns EINVAL at once, and a plugin sees it. */
static void mark(int what) { syscall(SYS_sched_get_priority_max, what); }

static int counting_ticks;
static long ticks;

/* LiteRT's profiler and XNNPACK read this clock, since the program's own symbols come first. While
   ticks are counted, time is the number of readings so far, in microseconds, and the plugin notes
   how many instructions had run at each: that turns a profile of times into one of instructions. */
int clock_gettime(clockid_t clock, struct timespec *time) {
  if (counting_ticks) {
    mark(MARK_TICK);
    time->tv_sec = ticks / 1000000;
    time->tv_nsec = ticks++ % 1000000 * 1000;
    return 0;
  }
  return (int)syscall(SYS_clock_gettime, clock, time);
}

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void pause_secs(double seconds) {
  struct timespec time = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
  while (seconds > 0 && nanosleep(&time, &time) && errno == EINTR) continue;
}

/* --- Opening a model --------------------------------------------------------------------------- */

static void open_library(void) {
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!handle) fail("cannot load %s: %s", library, dlerror());
#define RESOLVE(name, arguments)                                                                  \
  if (!(name = (int(*) arguments)dlsym(handle, #name)))                                           \
    fail("%s has no %s: ai-edge-litert 2.3 is expected", library, #name);
  LITERT_FUNCTIONS(RESOLVE)
}

static void keep(void *memory) { (void)memory; }

static void *new_options(int with_profiler) {
  static char text[128];
  static char profiling[] = "enable_profiling = true\n";
  void *options, *opaque;
  snprintf(text, sizeof text, "num_threads = %d\n%s", num_threads,
           use_xnnpack ? "" : "kernel_mode = \"builtin\"\n");
  CHECK(LiteRtCreateOptions(&options), "options");
  CHECK(LiteRtSetOptionsHardwareAccelerators(options, ACCELERATOR_CPU), "options");
  CHECK(LiteRtCreateOpaqueOptions("xnnpack", text, keep, &opaque), "options");
  CHECK(LiteRtAddOpaqueOptions(options, opaque), "options");
  if (with_profiler) {
    CHECK(LiteRtCreateOpaqueOptions("runtime_options_string", profiling, keep, &opaque), "options");
    CHECK(LiteRtAddOpaqueOptions(options, opaque), "options");
  }
  return options;
}

static void *read_file(const char *path, size_t expected, const char *tensor) {
  int file = open(path, O_RDONLY);
  struct stat facts;
  if (file < 0 || fstat(file, &facts)) fail("cannot read %s: %s", path, strerror(errno));
  if ((size_t)facts.st_size != expected)
    fail("%s holds %lld bytes, input '%s' takes %zu", path, (long long)facts.st_size, tensor,
         expected);
  char *values = allocate(1, expected);
  for (size_t done = 0; done < expected;) {
    ssize_t count = read(file, values + done, expected - done);
    if (count <= 0) fail("cannot read %s: %s", path, strerror(errno));
    done += (size_t)count;
  }
  close(file);
  return values;
}

static void open_tensor(Tensor *tensor, const char *path) {
  CHECK(LiteRtGetTensorName(tensor->tensor, &tensor->name), path);
  CHECK(LiteRtGetRankedTensorType(tensor->tensor, &tensor->type), path);
}

static void add_buffer(Tensor *tensor, void *environment, void *requirements, const char *path) {
  CHECK(LiteRtCreateManagedTensorBufferFromRequirements(environment, &tensor->type, requirements,
                                                        &tensor->buffer), path);
  CHECK(LiteRtGetTensorBufferPackedSize(tensor->buffer, &tensor->size), path);
}

static void open_model(void *environment, Model *model) {
  void *signature, *requirements;
  char head[8] = "";
  FILE *file = fopen(model->path, "rb");
  if (!file) fail("cannot read %s: %s", model->path, strerror(errno));
  if (fread(head, 1, 8, file) != 8 || memcmp(head + 4, "TFL3", 4))
    fail("%s is not a TFLite model: bytes 4 to 8 should be 'TFL3'", model->path);
  fclose(file);

  int64_t start = now_ns();
  CHECK(LiteRtCreateModelFromFile(environment, model->path, &model->model), model->path);
  model->options = new_options(0);
  CHECK(LiteRtCreateCompiledModel(environment, model->model, model->options, &model->compiled),
        model->path);
  model->init_us = (long)((now_ns() - start) / 1000);

  CHECK(LiteRtGetModelSignature(model->model, 0, &signature), model->path);
  CHECK(LiteRtGetNumSignatureInputs(signature, &model->num_inputs), model->path);
  CHECK(LiteRtGetNumSignatureOutputs(signature, &model->num_outputs), model->path);
  if (model->num_inputs > MAX_TENSORS || model->num_outputs > MAX_TENSORS)
    fail("%s has more than %d inputs or outputs", model->path, MAX_TENSORS);
  if (model->given_inputs != model->num_inputs)
    fail("%zu input files for the %zu inputs of %s", model->given_inputs, model->num_inputs,
         model->path);
  for (size_t i = 0; i < model->num_inputs; i++) {
    Tensor *tensor = &model->inputs[i];
    CHECK(LiteRtGetSignatureInputTensorByIndex(signature, i, &tensor->tensor), model->path);
    open_tensor(tensor, model->path);
    CHECK(LiteRtGetCompiledModelInputBufferRequirements(model->compiled, 0, i, &requirements),
          model->path);
    add_buffer(tensor, environment, requirements, model->path);
    tensor->values = read_file(tensor->file, tensor->size, tensor->name);
  }
  for (size_t i = 0; i < model->num_outputs; i++) {
    Tensor *tensor = &model->outputs[i];
    CHECK(LiteRtGetSignatureOutputTensorByIndex(signature, i, &tensor->tensor), model->path);
    open_tensor(tensor, model->path);
    CHECK(LiteRtGetCompiledModelOutputBufferRequirements(model->compiled, 0, i, &requirements),
          model->path);
    add_buffer(tensor, environment, requirements, model->path);
  }
  model->sessions = allocate((size_t)sessions, sizeof *model->sessions);
}

/* --- Running ----------------------------------------------------------------------------------- */

/* One inference on fresh inputs, in microseconds. */
static long invoke(Model *model, void *compiled) {
  void *inputs[MAX_TENSORS], *outputs[MAX_TENSORS], *memory;
  for (size_t i = 0; i < model->num_inputs; i++) {
    inputs[i] = model->inputs[i].buffer;
    CHECK(LiteRtLockTensorBuffer(inputs[i], &memory, FOR_WRITING), model->path);
    memcpy(memory, model->inputs[i].values, model->inputs[i].size);
    CHECK(LiteRtUnlockTensorBuffer(inputs[i]), model->path);
  }
  for (size_t i = 0; i < model->num_outputs; i++) outputs[i] = model->outputs[i].buffer;
  int64_t start = now_ns();
  if (markers) mark(MARK_BEGIN);
  int status = LiteRtRunCompiledModel(compiled, 0, model->num_inputs, inputs, model->num_outputs,
                                      outputs);
  if (markers) mark(MARK_END);
  int64_t end = now_ns();
  if (status) fail("%s: inference failed with LiteRT status %d", model->path, status);
  return (long)((end - start) / 1000);
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
    times->values[times->count++] = invoke(model, model->compiled);
    pause_secs(run_delay);
    passed = (double)(now_ns() - start) / 1e9;
  }
}

/* --- The document ------------------------------------------------------------------------------ */

static const char *type_name(int type) {
  static const char *names[] = {[1] = "float32", "int32", "uint8", "int64", [6] = "bool", "int16",
                                [9] = "int8", "float16", "float64", [13] = "uint64",
                                [16] = "uint32", "uint16"};
  int known = type > 0 && type < (int)(sizeof names / sizeof *names) && names[type];
  return known ? names[type] : "unknown";
}

static void print_tensors(const char *key, const Tensor *tensors, size_t count) {
  fprintf(document, ", \"%s\": [", key);
  for (size_t i = 0; i < count; i++) {
    fprintf(document, "%s{\"name\": ", i ? ", " : "");
    print_string(tensors[i].name);
    fputs(", \"shape\": [", document);
    for (uint32_t k = 0; k < tensors[i].type.rank; k++)
      fprintf(document, "%s%d", k ? ", " : "", tensors[i].type.dimensions[k]);
    fprintf(document, "], \"dtype\": \"%s\"}", type_name(tensors[i].type.element_type));
  }
  putc(']', document);
}

static void print_times(const Times *times) {
  putc('[', document);
  for (size_t i = 0; i < times->count; i++)
    fprintf(document, "%s%ld", i ? ", " : "", times->values[i]);
  putc(']', document);
}

static void write_outputs(const Model *model) {
  for (size_t i = 0; i < model->given_outputs && i < model->num_outputs; i++) {
    const Tensor *tensor = &model->outputs[i];
    void *memory;
    FILE *file = fopen(tensor->file, "wb");
    if (!file) fail("cannot write %s: %s", tensor->file, strerror(errno));
    CHECK(LiteRtLockTensorBuffer(tensor->buffer, &memory, FOR_READING), model->path);
    size_t written = fwrite(memory, 1, tensor->size, file);
    if (fclose(file) || written != tensor->size)
      fail("cannot write %s: %s", tensor->file, strerror(errno));
    CHECK(LiteRtUnlockTensorBuffer(tensor->buffer), model->path);
  }
}

/* Run under the profiler in a compiled model of its own, so that it slows no measured run. */
static void print_profile(void *environment, Model *model) {
  void *compiled, *profiler, *options = new_options(1);
  int count = 0;
  CHECK(LiteRtCreateCompiledModel(environment, model->model, options, &compiled), model->path);
  invoke(model, compiled);
  CHECK(LiteRtCompiledModelGetProfiler(compiled, &profiler), model->path);
  CHECK(LiteRtStartProfiler(profiler), model->path);
  for (int run = 0; run < profile; run++) {
    counting_ticks = markers;
    invoke(model, compiled);
    counting_ticks = 0;
  }
  CHECK(LiteRtStopProfiler(profiler), model->path);
  CHECK(LiteRtGetNumProfilerEvents(profiler, &count), model->path);
  ProfilerEvent *events = allocate((size_t)count, sizeof *events);
  CHECK(LiteRtGetProfilerEvents(profiler, count, events), model->path);
  fprintf(document, ", \"profile\": {\"runs\": %d, \"events\": [", profile);
  for (int i = 0; i < count; i++) {
    fprintf(document, "%s{\"tag\": ", i ? ", " : "");
    print_string(events[i].tag ? events[i].tag : "");
    fprintf(document, ", \"type\": %llu, \"index\": %llu, \"start_us\": %llu, \"elapsed_us\": %llu}",
            (unsigned long long)(events[i].type & 0xffffffff), (unsigned long long)events[i].index,
            (unsigned long long)events[i].start_us, (unsigned long long)events[i].elapsed_us);
  }
  fputs("]}", document);
  free(events);
}

/* The maximum resident set in MB, or -1: a "VmHWM:" line of /proc/self/status. */
static double peak_memory_mb(void) {
  char line[256];
  long kib = -1;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file)) sscanf(line, "VmHWM: %ld", &kib);
  if (file) fclose(file);
  return kib < 0 ? -1 : kib * 1024 / 1e6;
}

static void print_memory(const char *key, double base, double value) {
  if (num_models > 1 || base < 0 || value < 0) fprintf(document, ", \"%s\": null", key);
  else fprintf(document, ", \"%s\": %.3f", key, value - base);
}

/* Where code lies in memory: the counter's addresses are named by it. */
static void print_maps(void) {
  char line[4096], access[8], path[4096];
  unsigned long start, end, offset;
  const char *separator = "";
  FILE *file = fopen("/proc/self/maps", "r");
  fputs(", \"maps\": [", document);
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %4095[^\n]", &start, &end, access, &offset, path) < 5)
      continue;
    if (!strchr(access, 'x')) continue;
    fprintf(document, "%s{\"path\": ", separator);
    print_string(path);
    fprintf(document, ", \"start\": %lu, \"end\": %lu, \"offset\": %lu}", start, end, offset);
    separator = ", ";
  }
  if (file) fclose(file);
  putc(']', document);
}

static void print_document(void *environment, double base, double init_memory, double peak_memory) {
  struct utsname system;
  unsigned long mask = 0;
  cpu_set_t cpus;
  uname(&system);
  CPU_ZERO(&cpus);
  sched_getaffinity(0, sizeof cpus, &cpus);
  for (int cpu = 0; cpu < 64; cpu++)
    if (CPU_ISSET(cpu, &cpus)) mask |= 1UL << cpu;
  fputs("{\"facts\": {\"os\": ", document);
  print_string(system.sysname);
  fputs(", \"kernel\": ", document);
  print_string(system.release);
  fputs(", \"architecture\": ", document);
  print_string(system.machine);
  fprintf(document, ", \"num_threads\": %d, \"affinity_mask\": \"0x%lx\"}, \"models\": [",
          num_threads, mask);
  for (size_t i = 0; i < num_models; i++) {
    Model *model = &models[i];
    Times *first = model->warmup.count ? &model->warmup : &model->sessions[0];
    write_outputs(model);
    fprintf(document, "%s{\"init_us\": %ld, \"first_us\": %ld, \"warmup_us\": ", i ? ", " : "",
            model->init_us, first->count ? first->values[0] : -1);
    print_times(&model->warmup);
    fputs(", \"sessions_us\": [", document);
    for (int k = 0; k < sessions; k++) {
      if (k) fputs(", ", document);
      print_times(&model->sessions[k]);
    }
    putc(']', document);
    print_memory("memory_init_mb", base, init_memory);
    print_memory("memory_peak_mb", base, peak_memory);
    print_tensors("inputs", model->inputs, model->num_inputs);
    print_tensors("outputs", model->outputs, model->num_outputs);
    if (profile) print_profile(environment, model);
    putc('}', document);
  }
  putc(']', document);
  if (markers) print_maps();
  fputs("}\n", document);
}

/* --- The command ------------------------------------------------------------------------------- */

static double number(const char *option, const char *text) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end) fail("%s takes a number, not '%s'", option, text);
  return value;
}

static void parse(int count, char **arguments) {
  static const struct { const char *name; int *whole; double *real; } options[] = {
      {"--num_threads", &num_threads, 0}, {"--use_xnnpack", &use_xnnpack, 0},
      {"--num_runs", &num_runs, 0},       {"--min_secs", 0, &min_secs},
      {"--max_secs", 0, &max_secs},       {"--warmup_runs", &warmup_runs, 0},
      {"--run_delay", 0, &run_delay},     {"--warmup_min_secs", 0, &warmup_min_secs},
      {"--sessions", &sessions, 0},       {"--session_pause", 0, &session_pause},
      {"--markers", &markers, 0},         {"--profile", &profile, 0},
  };
  for (int i = 1; i < count; i++) {
    const char *name = arguments[i];
    if (strncmp(name, "--", 2)) {
      if (num_models == MAX_MODELS) fail("more than %d models", MAX_MODELS);
      models[num_models++].path = name;
      continue;
    }
    if (i + 1 == count) fail("%s takes a value", name);
    const char *value = arguments[++i];
    if (!strcmp(name, "--library")) {
      library = value;
    } else if (!strcmp(name, "--affinity")) {
      affinity = strtoul(value, NULL, 16);
    } else if (!strcmp(name, "--input") || !strcmp(name, "--output")) {
      if (!num_models) fail("%s comes after the model it belongs to", name);
      Model *model = &models[num_models - 1];
      size_t *given = name[2] == 'i' ? &model->given_inputs : &model->given_outputs;
      Tensor *tensors = name[2] == 'i' ? model->inputs : model->outputs;
      if (*given == MAX_TENSORS) fail("more than %d times %s", MAX_TENSORS, name);
      tensors[(*given)++].file = value;
    } else {
      size_t k = 0, all = sizeof options / sizeof *options;
      while (k < all && strcmp(options[k].name, name)) k++;
      if (k == all) fail("unknown option %s", name);
      if (options[k].whole) *options[k].whole = (int)number(name, value);
      else *options[k].real = number(name, value);
    }
  }
  if (!num_models) fail("no model given");
  if (num_threads < 1 || sessions < 1) fail("--num_threads and --sessions are 1 or more");
}

int main(int count, char **arguments) {
  void *environment;
  prctl(PR_SET_PDEATHSIG, 9); /* nothing outlives a lost run */
  /* The library may print at any time: only the document goes to the real standard output. */
  document = fdopen(dup(1), "w");
  dup2(2, 1);
  parse(count, arguments);
  if (affinity) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    for (int cpu = 0; cpu < 64; cpu++)
      if (affinity >> cpu & 1) CPU_SET(cpu, &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus))
      fail("affinity 0x%lx does not fit this device's CPUs: %s", affinity, strerror(errno));
  }
  open_library();
  int refs = open("/proc/self/clear_refs", O_WRONLY);
  if (refs >= 0 && write(refs, "5", 1) != 1) errno = 0; /* an older kernel: the peak stays */
  if (refs >= 0) close(refs);
  double base = peak_memory_mb();

  CHECK(LiteRtCreateEnvironment(0, NULL, &environment), "environment");
  for (size_t i = 0; i < num_models; i++) open_model(environment, &models[i]);
  double init_memory = peak_memory_mb();
  for (size_t i = 0; i < num_models; i++)
    loop(&models[i], &models[i].warmup, warmup_runs, warmup_min_secs, max_secs);
  for (int session = 0; session < sessions; session++) {
    if (session) pause_secs(session_pause);
    for (size_t i = 0; i < num_models; i++) { /* the order turns by one from session to session */
      Model *model = &models[(i + (size_t)session) % num_models];
      loop(model, &model->sessions[session], num_runs, min_secs, max_secs);
    }
  }
  print_document(environment, base, init_memory, peak_memory_mb());
  if (fclose(document)) return 3;
  _exit(0);
}
