/* A QEMU TCG plugin that counts the AArch64 instructions executed between two markers.

   The measured program (runner.c, or worker.py with markers) makes a harmless system call,
   sched_get_priority_max with an argument that no kernel knows, at the start and the end of an
   inference, and, when profiling, at every reading of the clock. QEMU runs a program in blocks that
   are entered at the top and left at the end, so executions of a block times its instructions is an
   exact count; only one thread may run.

   usage: qemu-aarch64 -plugin count.so,out=FILE ...
   The file holds one record a line, written when the program ends (or leaves by exit_group):
     run LOAD_STORE SIMD SCALAR BRANCH            one inference between markers
     tick LOAD_STORE SIMD SCALAR BRANCH           so far in this program, at a reading of the clock
     block ADDRESS LOAD_STORE SIMD SCALAR BRANCH EXECUTIONS      of the last inference only

   The prototypes are written by hand from the plugin interface's version 1, so that no header of
   QEMU is needed. */

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t qemu_plugin_id_t;
enum { QEMU_PLUGIN_INLINE_ADD_U64 = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t,
                                           void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
void qemu_plugin_register_vcpu_syscall_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t,
                               uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { LOAD_STORE, SIMD, SCALAR, BRANCH, CLASSES };
enum { SYS_SCHED_GET_PRIORITY_MAX = 125 };
enum { MARK_BEGIN = 0x6c770001, MARK_END = 0x6c770002, MARK_TICK = 0x6c770003 };

typedef struct Block {
  uint64_t executions, executions_at_begin, executions_of_run, address;
  uint32_t instructions[CLASSES];
  struct Block *next;
} Block;

static Block *blocks;
static uint64_t at_begin[CLASSES];
static FILE *out;

/* The class of an instruction, by bits 28 to 25 (Arm Architecture Reference Manual, C4.1). */
static int class_of(uint32_t word) {
  uint32_t group = word >> 25 & 15;
  if ((group & 5) == 4) return LOAD_STORE;  /* x1x0: loads and stores, vector ones too */
  if ((group & 7) == 7) return SIMD;        /* x111: floating point and Advanced SIMD */
  if (group == 2) return SIMD;              /* 0010: SVE, its loads too */
  if ((group & 14) == 10) return BRANCH;    /* 101x: branches, exceptions, system */
  return SCALAR;                            /* 100x and x101: integer arithmetic */
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *translation) {
  Block *block = calloc(1, sizeof *block);
  (void)id;
  if (!block) abort();
  block->address = qemu_plugin_tb_vaddr(translation);
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(translation); i++) {
    uint32_t word;
    memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(translation, i)), 4);
    block->instructions[class_of(word)]++;
  }
  block->next = blocks;
  blocks = block;
  qemu_plugin_register_vcpu_tb_exec_inline(translation, QEMU_PLUGIN_INLINE_ADD_U64,
                                           &block->executions, 1);
}

static void count_all(uint64_t counts[CLASSES]) {
  memset(counts, 0, CLASSES * sizeof *counts);
  for (const Block *block = blocks; block; block = block->next)
    for (int k = 0; k < CLASSES; k++) counts[k] += block->executions * block->instructions[k];
}

static void print(const char *record, const uint64_t counts[CLASSES]) {
  fprintf(out, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", record, counts[LOAD_STORE],
          counts[SIMD], counts[SCALAR], counts[BRANCH]);
}

static void called(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t what, uint64_t a2,
                   uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
  uint64_t counts[CLASSES];
  (void)id, (void)cpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
  if (number != SYS_SCHED_GET_PRIORITY_MAX || what < MARK_BEGIN || what > MARK_TICK) return;
  count_all(counts);
  if (what == MARK_TICK) {
    print("tick", counts);
  } else if (what == MARK_BEGIN) {
    memcpy(at_begin, counts, sizeof counts);
    for (Block *block = blocks; block; block = block->next)
      block->executions_at_begin = block->executions;
  } else {
    for (int k = 0; k < CLASSES; k++) counts[k] -= at_begin[k];
    print("run", counts);
    for (Block *block = blocks; block; block = block->next)
      block->executions_of_run = block->executions - block->executions_at_begin;
  }
}

static void ended(qemu_plugin_id_t id, void *data) {
  (void)id, (void)data;
  for (const Block *block = blocks; block; block = block->next) {
    if (!block->executions_of_run) continue;
    fprintf(out, "block %" PRIu64, block->address);
    for (int k = 0; k < CLASSES; k++) fprintf(out, " %" PRIu32, block->instructions[k]);
    fprintf(out, " %" PRIu64 "\n", block->executions_of_run);
  }
  fclose(out);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
                                                               const void *info, int count,
                                                               char **arguments) {
  (void)info;
  if (count != 1 || strncmp(arguments[0], "out=", 4) || !(out = fopen(arguments[0] + 4, "w"))) {
    fprintf(stderr, "count: out=FILE is needed, and a file that can be written\n");
    return -1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, called);
  qemu_plugin_register_atexit_cb(id, ended, NULL);
  return 0;
}
