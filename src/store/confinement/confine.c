/*
 * Runs a program that can reach only the files it is told of, by Linux's Landlock:
 *
 *   confine [--read PATH | --write PATH | --run PATH]... -- PROGRAM ARGUMENT...
 *   confine --abi          prints the version of the kernel's Landlock; 0 where there is none
 *
 * --read: the file or the folder with all below it may be read. --write: also written, made and removed. --run: also run as a
 * program. Everything else answers with EACCES, in every thread of the program and in what it starts, for ever. It restricts
 * itself and becomes the program (same process id), so no thread can exist that began before the restriction.
 *
 * Structures and numbers are written out here: Debian 12's headers do not know them all. Exit code 125: it could not restrict
 * itself (the reason is on stderr), 126 or 127: the program could not be run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on every architecture. */
#define CREATE_RULESET 444
#define ADD_RULE 445
#define RESTRICT_SELF 446
#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1

struct ruleset {
  uint64_t handled_access_fs;
};

struct path_beneath {
  uint64_t allowed_access;
  int32_t parent_fd;
} __attribute__((packed));

enum {
  EXECUTE = 1 << 0,
  WRITE_FILE = 1 << 1,
  READ_FILE = 1 << 2,
  READ_DIR = 1 << 3,
  REMOVE_DIR = 1 << 4,
  REMOVE_FILE = 1 << 5,
  MAKE_CHAR = 1 << 6,
  MAKE_DIR = 1 << 7,
  MAKE_REG = 1 << 8,
  MAKE_SOCK = 1 << 9,
  MAKE_FIFO = 1 << 10,
  MAKE_BLOCK = 1 << 11,
  MAKE_SYM = 1 << 12,
  REFER = 1 << 13,    /* ABI 2; without it nothing may be moved from one folder to another, which ClickHouse does */
  TRUNCATE = 1 << 14, /* ABI 3 */
  IOCTL_DEV = 1 << 15 /* ABI 5 */
};

#define OF_FILES ((uint64_t)(EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV))
#define READING ((uint64_t)(READ_FILE | READ_DIR))
#define WRITING                                                                                                           \
  (READING | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM | REFER | TRUNCATE)
#define RUNNING (READING | EXECUTE)
#define LEAST_ABI 2

static int failed(const char *what, const char *path) {
  fprintf(stderr, "confine: %s%s%s: %s\n", what, path ? " " : "", path ? path : "", strerror(errno));
  return 125;
}

static uint64_t handled_by(long abi) {
  uint64_t all = (MAKE_SYM << 1) - 1;
  all |= REFER;
  if (abi >= 3) all |= TRUNCATE;
  if (abi >= 5) all |= IOCTL_DEV;
  return all;
}

/* Allows `access` below `path`; 0 on success. */
static int allow(int ruleset, uint64_t access, const char *path) {
  struct path_beneath rule = {.allowed_access = access, .parent_fd = open(path, O_PATH)};
  struct stat status;
  if (rule.parent_fd < 0 || fstat(rule.parent_fd, &status) != 0) return failed("cannot open", path);
  if (!S_ISDIR(status.st_mode)) rule.allowed_access &= OF_FILES;
  if (syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0u) != 0) return failed("cannot allow", path);
  /* A rule holds a file's inode, and those of /proc are made anew when they were forgotten: kept open, they are not. */
  if (strncmp(path, "/proc/", 6) != 0) close(rule.parent_fd);
  return 0;
}

int main(int argc, char **argv) {
  long abi = syscall(CREATE_RULESET, NULL, (size_t)0, CREATE_RULESET_VERSION);
  if (argc == 2 && strcmp(argv[1], "--abi") == 0) {
    printf("%ld\n", abi < 0 ? 0 : abi);
    return 0;
  }
  if (abi < LEAST_ABI) {
    fprintf(stderr, "confine: this kernel's Landlock is of version %ld, and %d is needed\n", abi < 0 ? 0 : abi, LEAST_ABI);
    return 125;
  }
  struct ruleset rules = {.handled_access_fs = handled_by(abi)};
  int ruleset = (int)syscall(CREATE_RULESET, &rules, sizeof rules, 0u);
  if (ruleset < 0) return failed("cannot make a ruleset", NULL);

  int i = 1;
  for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
    uint64_t access;
    if (strcmp(argv[i], "--read") == 0) access = READING;
    else if (strcmp(argv[i], "--write") == 0) access = WRITING;
    else if (strcmp(argv[i], "--run") == 0) access = RUNNING;
    else break;
    int code = allow(ruleset, access & rules.handled_access_fs, argv[i + 1]);
    if (code != 0) return code;
  }
  if (i + 1 >= argc || strcmp(argv[i], "--") != 0) {
    fprintf(stderr, "usage: confine [--read PATH | --write PATH | --run PATH]... -- PROGRAM ARGUMENT...\n");
    return 125;
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("cannot give up new privileges", NULL);
  if (syscall(RESTRICT_SELF, ruleset, 0u) != 0) return failed("cannot restrict itself", NULL);
  close(ruleset);
  execv(argv[i + 1], argv + i + 1);
  int code = errno == ENOENT ? 127 : 126;
  failed("cannot run", argv[i + 1]);
  return code;
}
