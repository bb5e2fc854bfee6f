/* The transport of examples/sockets.c, without training: ranks are processes on this machine.
 *
 *   transport [large]     with messages of more than 2^31 bytes, which need 9 GB
 */
#define main sockets_main
#include "examples/sockets.c"
#undef main

#include <sys/wait.h>

enum { kMostRanks = 5 };

typedef struct ranks {
  int count;
  char addresses[kMostRanks * 24];
  double timeout;
} ranks_t;

static int failures;

static void expect(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "transport: %s\n", what);
  ++failures;
}

/* Ports that nobody had when this was called. */
static void choose_ports(ranks_t *ranks, int count) {
  int sockets[kMostRanks];
  size_t size = 0;
  ranks->count = count;
  for (int r = 0; r < count; ++r) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockets[r] = socket(AF_INET, SOCK_STREAM, 0);
    expect(bind(sockets[r], (struct sockaddr *)&address, length) == 0, "no port is free");
    getsockname(sockets[r], (struct sockaddr *)&address, &length);
    size += (size_t)sprintf(ranks->addresses + size, "127.0.0.1:%d,", ntohs(address.sin_port));
  }
  for (int r = 0; r < count; ++r) close(sockets[r]);
}

/* Runs body in a process for each rank; all have to return 0, but `dead`, and within 20 s of what they wait for. */
static void run(const char *name, const ranks_t *ranks, int (*body)(mesh_t *), int dead) {
  pid_t children[kMostRanks];
  fflush(NULL);
  for (int r = 0; r < ranks->count; ++r) {
    if ((children[r] = fork()) != 0) continue;
    mesh_t mesh = {.rank = r, .timeout = ranks->timeout, .patience = 20};
    alarm(300);
    int status = open_mesh(&mesh, ranks->addresses);
    if (status != 0) fprintf(stderr, "rank %d: %s\n", r, mesh.error);
    if (status == 0) status = body(&mesh);
    close_mesh(&mesh);
    _exit(status);
  }
  for (int r = 0; r < ranks->count; ++r) {
    int status = -1;
    char what[100];
    snprintf(what, sizeof what, "%s: rank %d of %d", name, r, ranks->count);
    expect(waitpid(children[r], &status, 0) == children[r] && (status == 0 || r == dead), what);
  }
}

/* Bytes that tell from whom, to whom, in which round and where they are. */
static char byte_of(int from, int to, int round, size_t i) {
  return (char)(from * 101 + to * 37 + round * 11 + (int)(i % 251));
}

static size_t size_of(int from, int to, int round) {
  const uint32_t random = 1664525u * (uint32_t)(from * 97 + to * 13 + round * 7919 + 1) + 1013904223u;
  return random % 5 == 0 ? 0 : (random >> 8) % (round % 10 == 0 ? 3000000 : 300);
}

static int check_call(mesh_t *mesh, int round, int gathers) {
  size_t send_sizes[kMostRanks], receive_sizes[kMostRanks], send_size = 0, receive_size = 0;
  for (int r = 0; r < mesh->ranks; ++r) {
    send_sizes[r] = gathers && r > 0 ? 0 : size_of(mesh->rank, gathers ? 0 : r, round);
    receive_sizes[r] = size_of(r, gathers ? 0 : mesh->rank, round);
    send_size += send_sizes[r];
    receive_size += receive_sizes[r];
  }
  char *send = malloc(send_size + 1), *receive = malloc(receive_size + 1), *at = send;
  for (int r = 0; r < mesh->ranks; ++r)
    for (size_t i = 0; i < send_sizes[r]; ++i) *at++ = byte_of(mesh->rank, r, round, i);
  int wrong = gathers ? gather(send, receive, receive_sizes, mesh)
                      : exchange(send, send_sizes, receive, receive_sizes, mesh);
  at = receive;
  for (int r = 0; r < mesh->ranks && wrong == 0; ++r)
    for (size_t i = 0; i < receive_sizes[r]; ++i)
      if (*at++ != byte_of(r, gathers ? 0 : mesh->rank, round, i)) wrong = 1;
  if (wrong != 0) fprintf(stderr, "rank %d, round %d: %s\n", mesh->rank, round, mesh->error);
  free(send);
  free(receive);
  return wrong;
}

static int all_sizes(mesh_t *mesh) {
  for (int round = 0; round < 100; ++round)
    if (check_call(mesh, round, round % 3 == 0) != 0) return 1;
  return 0;
}

/* More than 2^31 bytes both ways. */
static int large_messages(mesh_t *mesh) {
  const size_t size = ((size_t)1 << 31) + 12345,
               sizes[2] = {mesh->rank == 0 ? 0 : size, mesh->rank == 0 ? size : 0};
  char *send = malloc(size), *receive = malloc(size);
  if (send == NULL || receive == NULL) return 1;
  for (size_t i = 0; i < size; ++i) send[i] = byte_of(mesh->rank, 0, 0, i);
  int wrong = exchange(send, sizes, receive, sizes, mesh);
  for (size_t i = 0; i < size && wrong == 0; ++i) wrong = receive[i] != byte_of(1 - mesh->rank, 0, 0, i);
  free(send);
  free(receive);
  return wrong;
}

static int fails(mesh_t *mesh, const size_t *sizes, double most, const char *reason) {
  static char send[1000], receive[1000];
  const double begin = now();
  int failed = 0; /* a rank may have all that it needs when another one fails; then its next call fails */
  for (int i = 0; i < 2; ++i) failed = gather(send, receive, sizes, mesh) != 0;
  const int good = failed && now() - begin < most && strstr(mesh->error, reason) != NULL;
  if (!good) fprintf(stderr, "rank %d after %g s: %s\n", mesh->rank, now() - begin, mesh->error);
  return !good;
}

/* What the others say depends on whether they notice the rank itself or one that has noticed it. */
static int one_dies(mesh_t *mesh) {
  const size_t sizes[kMostRanks] = {9, 8, 7};
  if (all_sizes(mesh) != 0) return 1;
  if (mesh->rank == 1) raise(SIGKILL);
  return fails(mesh, sizes, 5, "connection");
}

static int one_is_silent(mesh_t *mesh) {
  const size_t sizes[kMostRanks] = {9, 8, 7};
  if (mesh->rank == 1) return sleep(2) != 0;
  return fails(mesh, sizes, 3, "");
}

static int sizes_differ(mesh_t *mesh) {
  const size_t sizes[kMostRanks] = {9, 8, mesh->rank == 1 ? 6 : 7};
  return fails(mesh, sizes, 5, mesh->rank == 1 ? "rank 2 sends 7 bytes, rank 1 expects 6" : "");
}

static int calls_differ(mesh_t *mesh) {
  static char send[100], receive[100];
  const size_t sizes[kMostRanks] = {9, 9, 9};
  if (mesh->rank != 1) return fails(mesh, sizes, 5, "");
  return exchange(send, sizes, receive, sizes, mesh) == 0 || strstr(mesh->error, "another call") == NULL;
}

/* What else may connect to a rank's port: it says nothing, or something else. */
static void run_with_strangers(ranks_t *ranks) {
  char first[sizeof ranks->addresses], *end;
  snprintf(first, sizeof first, "%s", ranks->addresses);
  if ((end = strchr(first, ',')) != NULL) *end = 0;
  const pid_t child = fork();
  if (child == 0) {
    const char *words[] = {"", "GET / HTTP/1.1\r\nHost: here\r\n\r\n"};
    for (int i = 0; i < 2; ++i) {
      int socket = kNone;
      const double deadline = now() + 10;
      while (socket == kNone && now() < deadline) socket = open_socket(first, 0, deadline);
      if (send(socket, words[i], strlen(words[i]), MSG_NOSIGNAL) < 0) _exit(1);
    }
    sleep(10);
    _exit(0);
  }
  const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
  nanosleep(&pause, NULL);
  run("strangers", ranks, all_sizes, kNone);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

int main(int argc, char **argv) {
  ranks_t ranks = {.timeout = 30};
  signal(SIGPIPE, SIG_IGN);
  if (argc > 1 && strcmp(argv[1], "large") == 0) {
    const double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (memory < 12e9) return printf("skipped: %.1f GB of memory are too few\n", memory / 1e9), 77;
    choose_ports(&ranks, 2);
    run("large messages", &ranks, large_messages, kNone);
    return failures != 0;
  }
  for (int count = 1; count <= kMostRanks; ++count) {
    choose_ports(&ranks, count);
    run("all sizes", &ranks, all_sizes, kNone);
  }
  choose_ports(&ranks, 3);
  run("one dies", &ranks, one_dies, 1);
  run("sizes differ", &ranks, sizes_differ, kNone);
  run("calls differ", &ranks, calls_differ, kNone);
  run_with_strangers(&ranks);
  ranks.timeout = 1;
  run("one is silent", &ranks, one_is_silent, kNone);
  return failures != 0;
}
