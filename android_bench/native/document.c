/* Prints the document: the measurement, or an error. */

#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "runner.h"

static FILE *output, *document;
static char *content;
static size_t size;

/* The library may print at any time: only the document goes to the real standard output, and only
   when it is whole. */
void open_document(void) {
  output = fdopen(dup(1), "w");
  dup2(2, 1);
  document = open_memstream(&content, &size);
  if (!output || !document) _exit(3);
}

int close_document(void) {
  return fclose(document) || fwrite(content, 1, size, output) != size || fclose(output);
}

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

/* One line of JSON and exit code 3, as worker.py. */
void fail(const char *format, ...) {
  char text[4096];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  document = output;
  fputs("{\"error\": ", document);
  print_string(text);
  fputs("}\n", document);
  fflush(document);
  _exit(3); /* LiteRT's threads may be running: no clean-up */
}

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
  for (size_t i = 0; i < model->num_outputs; i++) {
    const Tensor *tensor = &model->outputs[i];
    if (!tensor->file) continue;
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

static void print_event(const ProfilerEvent *event) {
  fputs("{\"tag\": ", document);
  print_string(event->tag ? event->tag : "");
  fprintf(document, ", \"type\": %u, \"index\": %" PRIu64 ", \"start_us\": %" PRIu64
          ", \"elapsed_us\": %" PRIu64 "}", (unsigned)event->type, event->index, event->start_us,
          event->elapsed_us);
}

/* Run under the profiler in a compiled model of its own, so that it slows no measured run. Its
   buffer is emptied after each run, lest it overflow. */
static void print_profile(void *environment, Model *model) {
  void *compiled, *profiler;
  CHECK(LiteRtCreateCompiledModel(environment, model->model, new_options(1), &compiled),
        model->path);
  invoke(model, compiled, NOTHING);
  CHECK(LiteRtCompiledModelGetProfiler(compiled, &profiler), model->path);
  fputs(", \"profile\": [", document);
  for (int run = 0; run < options.profile; run++) {
    int count = 0;
    CHECK(LiteRtResetProfiler(profiler), model->path);
    CHECK(LiteRtStartProfiler(profiler), model->path);
    invoke(model, compiled, options.markers ? TICKS : NOTHING);
    CHECK(LiteRtStopProfiler(profiler), model->path);
    CHECK(LiteRtGetNumProfilerEvents(profiler, &count), model->path);
    ProfilerEvent *events = allocate((size_t)count, sizeof *events);
    CHECK(LiteRtGetProfilerEvents(profiler, count, events), model->path);
    fputs(run ? ", [" : "[", document);
    for (int i = 0; i < count; i++) {
      if (i) fputs(", ", document);
      print_event(&events[i]);
    }
    putc(']', document);
    free(events);
  }
  putc(']', document);
}

/* The maximum resident set in MB, or -1: a "VmHWM:" line of /proc/self/status. */
double peak_memory_mb(void) {
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

void print_document(void *environment, double base, double init_memory, double peak_memory) {
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
          options.num_threads, mask);
  for (size_t i = 0; i < num_models; i++) {
    Model *model = &models[i];
    Times *first = model->warmup.count ? &model->warmup : &model->sessions[0];
    write_outputs(model);
    fprintf(document, "%s{\"init_us\": %ld, \"first_us\": %ld, \"warmup_us\": ", i ? ", " : "",
            model->init_us, first->count ? first->values[0] : -1);
    print_times(&model->warmup);
    fputs(", \"sessions_us\": [", document);
    for (int k = 0; k < options.sessions; k++) {
      if (k) fputs(", ", document);
      print_times(&model->sessions[k]);
    }
    putc(']', document);
    print_memory("memory_init_mb", base, init_memory);
    print_memory("memory_peak_mb", base, peak_memory);
    print_tensors("inputs", model->inputs, model->num_inputs);
    print_tensors("outputs", model->outputs, model->num_outputs);
    if (options.profile) print_profile(environment, model);
    putc('}', document);
  }
  putc(']', document);
  if (options.markers) print_maps();
  fputs("}\n", document);
}
