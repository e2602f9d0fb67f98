/* Hides instruction sets from a program, to measure it as it runs on a processor without them.
 *
 *   cc -O2 -shared -fPIC -o mask.so mask.c -ldl
 *   HIDE=avx512 LD_PRELOAD=./mask.so PROGRAM        leaves AVX2 and FMA
 *   HIDE=amx LD_PRELOAD=./mask.so PROGRAM           leaves AVX-512 with VNNI
 *
 * Linux on x86-64 can make CPUID fault (arch_prctl ARCH_CPUID_SET, inherited by threads), where processor and hypervisor
 * allow it. The handler of the fault executes it, takes the bits away, and goes on behind it. Exit code 99: not allowed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_CPUID_SET 0x1012
#define BIT(n) (1u << (n))

static int (*set_action)(int, const struct sigaction *, struct sigaction *);
static struct sigaction theirs; /* what the program wants done about SIGSEGV */
static int hide_avx512;

/* Not syscall(3): a handler must leave errno alone. */
static long allow_cpuid(long yes) {
  long r;
  __asm__ volatile("syscall" : "=a"(r) : "0"((long)SYS_arch_prctl), "D"((long)ARCH_CPUID_SET), "S"(yes) : "rcx", "r11", "memory");
  return r;
}

struct leaf {
  uint32_t a, b, c, d;
};

/* Intel SDM volume 2A, CPUID: feature bits by leaf and subleaf. */
static void take_away(uint32_t leaf, uint32_t sub, struct leaf *r) {
  const struct leaf none = {0};
  if (leaf == 7 && sub == 0) {
    r->d &= ~(BIT(22) | BIT(24) | BIT(25)); /* AMX-BF16, AMX-TILE, AMX-INT8 */
    if (hide_avx512) {
      r->b &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31)); /* F, DQ, IFMA, PF, ER, CD, BW, VL */
      r->c &= ~(BIT(1) | BIT(6) | BIT(8) | BIT(11) | BIT(12) | BIT(14));                        /* VBMI, VBMI2, GFNI, VNNI, BITALG, VPOPCNTDQ */
      r->d &= ~(BIT(2) | BIT(3) | BIT(8) | BIT(23));                                            /* 4VNNIW, 4FMAPS, VP2INTERSECT, FP16 */
    }
  } else if (leaf == 7 && sub == 1) {
    r->a &= ~BIT(21); /* AMX-FP16 */
    if (hide_avx512) {
      r->a &= ~(BIT(4) | BIT(5) | BIT(23));             /* AVX-VNNI, AVX512-BF16, AVX-IFMA */
      r->d &= ~(BIT(4) | BIT(5) | BIT(10) | BIT(19)); /* AVX-VNNI-INT8, AVX-NE-CONVERT, AVX-VNNI-INT16, AVX10 */
    }
  } else if (leaf == 0xd && sub == 0) { /* states that XCR0 may have */
    r->a &= ~(BIT(17) | BIT(18));
    if (hide_avx512) r->a &= ~(BIT(5) | BIT(6) | BIT(7));
  } else if (leaf == 0xd && (sub == 17 || sub == 18 || (hide_avx512 && sub >= 5 && sub <= 7))) {
    *r = none;
  } else if (leaf == 0x1d || leaf == 0x1e || (hide_avx512 && leaf == 0x24)) { /* tiles, TMUL, AVX10 */
    *r = none;
  }
}

static void fault(int sig, siginfo_t *info, void *context) {
  greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
  const uint8_t *at = (const uint8_t *)g[REG_RIP];
  if (info->si_code == SI_KERNEL && at[0] == 0x0f && at[1] == 0xa2) {
    struct leaf r;
    uint32_t leaf = g[REG_RAX], sub = g[REG_RCX];
    allow_cpuid(1);
    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "0"(leaf), "2"(sub));
    allow_cpuid(0);
    take_away(leaf, sub, &r);
    g[REG_RAX] = r.a, g[REG_RBX] = r.b, g[REG_RCX] = r.c, g[REG_RDX] = r.d;
    g[REG_RIP] += 2;
  } else if (theirs.sa_flags & SA_SIGINFO && theirs.sa_sigaction) {
    theirs.sa_sigaction(sig, info, context);
  } else if (theirs.sa_handler != SIG_DFL && theirs.sa_handler != SIG_IGN) {
    theirs.sa_handler(sig);
  } else {
    set_action(SIGSEGV, &(struct sigaction){.sa_handler = SIG_DFL}, NULL); /* and fault again */
  }
}

/* A program that handles SIGSEGV itself gets the faults that are none of ours. */
int sigaction(int sig, const struct sigaction *new, struct sigaction *old) {
  if (!set_action) set_action = dlsym(RTLD_NEXT, "sigaction");
  if (sig != SIGSEGV) return set_action(sig, new, old);
  if (old) *old = theirs;
  if (new) theirs = *new;
  return 0;
}

sighandler_t signal(int sig, sighandler_t handler) {
  struct sigaction old;
  return sigaction(sig, &(struct sigaction){.sa_handler = handler, .sa_flags = SA_RESTART}, &old) ? SIG_ERR : old.sa_handler;
}

__attribute__((constructor)) static void begin(void) {
  static const char refused[] = "this kernel, processor or hypervisor does not let CPUID fault\n";
  const char *hide = getenv("HIDE");
  hide_avx512 = hide && !strcmp(hide, "avx512");
  if (!set_action) set_action = dlsym(RTLD_NEXT, "sigaction");
  set_action(SIGSEGV, &(struct sigaction){.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK | SA_RESTART}, &theirs);
  if (allow_cpuid(0)) {
    if (write(2, refused, sizeof refused - 1)) {}
    _exit(99);
  }
}
