/* Numbers the effects that a process has on files below a folder, for LD_PRELOAD (effects.py builds and steers it).

   EFFECTS_CONTROL names a file of one `struct control`, shared by all processes that inherit it. At the effect
   with number `at` the process is killed (`error` is 0), or that effect and each later one that takes room fails
   with `error`. A write has half of its bytes written before that. `trace` gets a line for each effect. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct control {
  int at, error, seen, traced;
  char root[1008];
  char trace[1 << 20];
};

#define REAL(name)                      \
  static __typeof__(&name) real_##name; \
  if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name)

static struct control *control;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("EFFECTS_CONTROL");
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *found = mmap(0, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  control = found == MAP_FAILED ? 0 : found;
  close(fd);
}

static void die(void) { kill(getpid(), SIGKILL); }

/* Number an effect. Returns 0 if it is to be made, 1 if it is to fail, 2 if it is to be made by half. */
static int comes(const char *what, const char *path, int takes_room, int has_halves) {
  if (!control || !control->root[0] || strncmp(path, control->root, strlen(control->root))) return 0;
  int number = __sync_add_and_fetch(&control->seen, 1);
  char line[4200];
  int length = snprintf(line, sizeof line, "%s %s\n", what, path + strlen(control->root));
  int from = __sync_fetch_and_add(&control->traced, length);
  if (from + length < (int)sizeof control->trace) memcpy(control->trace + from, line, length);
  if (!control->at || number < control->at) return 0;
  if (number == control->at && has_halves) return 2;
  if (!control->error) die();
  if (!takes_room) return 0;
  errno = control->error;
  return 1;
}

static void absolute(int in, const char *path, char *full, size_t most) {
  char link[64];
  ssize_t length = 0;
  if (*path != '/') {
    if (in == AT_FDCWD) {
      if (getcwd(full, most)) length = strlen(full);
    } else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", in);
      length = readlink(link, full, most - 1);
    }
    if (length < 0) length = 0;
    full[length++] = '/';
  }
  snprintf(full + length, most - length, "%s", path);
}

static int named(const char *what, int in, const char *path, int takes_room) {
  char full[4096];
  if (!control || !control->root[0]) return 0;
  absolute(in, path, full, sizeof full);
  return comes(what, full, takes_room, 0);
}

static int opened(const char *what, int fd, int has_halves) {
  char link[64], path[4096];
  if (!control || !control->root[0]) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return comes(what, path, 1, has_halves);
}

/* After half a write: the end of the process, or of the room. */
static void halved(void) {
  if (!control->error) die();
}

ssize_t write(int fd, const void *from, size_t size) {
  REAL(write);
  int how = opened("write", fd, size > 1);
  if (how == 1) return -1;
  ssize_t done = real_write(fd, from, how == 2 ? size / 2 : size);
  if (how == 2) halved();
  return done;
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  int how = opened("write", fd, count > 1);
  if (how == 1) return -1;
  ssize_t done = real_writev(fd, parts, how == 2 ? count / 2 : count);
  if (how == 2) halved();
  return done;
}
#define PWRITE(name, offset)                                                  \
  ssize_t name(int fd, const void *from, size_t size, offset at) {            \
    REAL(name);                                                               \
    int how = opened("write", fd, size > 1);                                  \
    if (how == 1) return -1;                                                  \
    ssize_t done = real_##name(fd, from, how == 2 ? size / 2 : size, at);     \
    if (how == 2) halved();                                                   \
    return done;                                                              \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
ssize_t sendfile(int to, int from, off_t *offset, size_t size) {
  REAL(sendfile);
  return opened("write", to, 0) ? -1 : real_sendfile(to, from, offset, size);
}
ssize_t sendfile64(int to, int from, off64_t *offset, size_t size) { return sendfile(to, from, offset, size); }

#define ON_OPENED(name, what, given, passed)                                  \
  int name given {                                                            \
    REAL(name);                                                               \
    return opened(what, fd, 0) ? -1 : real_##name passed;                     \
  }
ON_OPENED(fsync, "sync", (int fd), (fd))
ON_OPENED(fdatasync, "sync", (int fd), (fd))
ON_OPENED(ftruncate, "truncate", (int fd, off_t size), (fd, size))
ON_OPENED(ftruncate64, "truncate", (int fd, off64_t size), (fd, size))

#define ON_NAME(name, what, in, path, takes_room, given, passed)              \
  int name given {                                                            \
    REAL(name);                                                               \
    return named(what, in, path, takes_room) ? -1 : real_##name passed;       \
  }
ON_NAME(rename, "rename", AT_FDCWD, to, 1, (const char *from, const char *to), (from, to))
ON_NAME(renameat, "rename", at, to, 1, (int in, const char *from, int at, const char *to), (in, from, at, to))
ON_NAME(link, "link", AT_FDCWD, to, 1, (const char *from, const char *to), (from, to))
ON_NAME(linkat, "link", at, to, 1, (int in, const char *from, int at, const char *to, int flags),
        (in, from, at, to, flags))
ON_NAME(symlink, "symlink", AT_FDCWD, to, 1, (const char *from, const char *to), (from, to))
ON_NAME(unlink, "unlink", AT_FDCWD, path, 0, (const char *path), (path))
ON_NAME(unlinkat, "unlink", in, path, 0, (int in, const char *path, int flags), (in, path, flags))
ON_NAME(rmdir, "unlink", AT_FDCWD, path, 0, (const char *path), (path))
ON_NAME(mkdir, "mkdir", AT_FDCWD, path, 1, (const char *path, mode_t mode), (path, mode))
ON_NAME(mkdirat, "mkdir", in, path, 1, (int in, const char *path, mode_t mode), (in, path, mode))

/* Opening a file is an effect if it may make or empty it. */
#define ON_OPEN(name, in, given, last, passed)                                \
  int name given {                                                            \
    REAL(name);                                                               \
    va_list more;                                                             \
    va_start(more, last);                                                     \
    mode_t mode = va_arg(more, int);                                          \
    va_end(more);                                                             \
    if (flags & (O_CREAT | O_TRUNC) && named("create", in, path, 1)) return -1; \
    return real_##name passed;                                                \
  }
ON_OPEN(open, AT_FDCWD, (const char *path, int flags, ...), flags, (path, flags, mode))
ON_OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), flags, (path, flags, mode))
ON_OPEN(openat, in, (int in, const char *path, int flags, ...), flags, (in, path, flags, mode))
ON_OPEN(openat64, in, (int in, const char *path, int flags, ...), flags, (in, path, flags, mode))
