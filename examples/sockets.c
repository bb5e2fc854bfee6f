/* Train on several machines that exchange their data over plain TCP: rnn_collective_t without MPI.
 *
 *   sockets -r RANK -a HOST:PORT,HOST:PORT,... -c CHECKPOINT
 *
 * One process for each address, on the machine that has it; rank 0 is the first. All get the same list. Each
 * rank makes the sequences of its own lanes. Rank 0 saves checkpoints; a job that finds one goes on from there,
 * on whatever number of ranks, to the same bits. doc/distributed.md says more. The connections are neither
 * encrypted nor authenticated: they belong into a network of trusted machines. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <rnn/rnn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* ---- The ranks' connections ---------------------------------------------------------------------- */

enum { kMagic = 0x726e6e31, kNone = -1, kMost = 1 << 22 };

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* main ignores SIGPIPE */
#endif

/* In front of each message, also of the first one, by which ranks that connect introduce themselves. */
typedef struct header {
  uint32_t magic, what; /* what: 0 introduces, 1 exchanges, 2 gathers */
  uint64_t number;      /* of the call; introducing: the rank */
  uint64_t size;        /* of the data behind it; introducing: of the job */
} header_t;

/* One of the others. Messages go both ways at the same time: header, data. */
typedef struct peer {
  int socket;
  header_t out, in;
  char *send, *receive;
  size_t sent, received; /* with the header */
  size_t size;           /* of the data to receive; those to send have out.size */
  double moved;          /* when the last byte went or came, in seconds */
} peer_t;

typedef struct mesh {
  int rank, ranks;
  double timeout;     /* seconds in which a rank has to send or receive something */
  double patience;    /* seconds until all ranks have to be there */
  peer_t *peers;      /* [ranks]; the one of this rank is not used */
  struct pollfd *set; /* [ranks] */
  uint64_t number;    /* of calls so far */
  char error[256];    /* why the first call that failed did */
} mesh_t;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int is_busy(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

/* Closes all connections, so that the calls of the other ranks fail at once. */
static int fail(mesh_t *mesh, const char *format, ...) {
  va_list values;
  va_start(values, format);
  if (mesh->error[0] == 0) vsnprintf(mesh->error, sizeof mesh->error, format, values);
  va_end(values);
  for (int r = 0; r < mesh->ranks; ++r) {
    if (mesh->peers[r].socket != kNone) close(mesh->peers[r].socket);
    mesh->peers[r].socket = kNone;
  }
  return 1;
}

static int has_sent(const peer_t *p) { return p->sent == sizeof p->out + p->out.size; }
static int has_received(const peer_t *p) { return p->received == sizeof p->in + p->size; }

/* What is left of a header and the data behind it, a limited part of these: no peer is to keep others waiting. */
static int parts_of(struct iovec *parts, header_t *header, char *data, size_t size, size_t done) {
  const size_t head = sizeof *header, begin = done < head ? 0 : done - head;
  int count = 0;
  if (done < head) {
    parts[count].iov_base = (char *)header + done;
    parts[count++].iov_len = head - done;
  }
  if (begin < size) {
    parts[count].iov_base = data + begin;
    parts[count++].iov_len = size - begin < kMost ? size - begin : kMost;
  }
  return count;
}

static int check_header(mesh_t *mesh, int rank) {
  const peer_t *p = &mesh->peers[rank];
  if (p->in.magic != p->out.magic || p->in.what != p->out.what || p->in.number != p->out.number)
    return fail(mesh, "rank %d is in another call than rank %d: %llu, not %llu", rank, mesh->rank,
                (unsigned long long)p->in.number, (unsigned long long)p->out.number);
  if (p->in.size != p->size)
    return fail(mesh, "rank %d sends %llu bytes, rank %d expects %llu", rank, (unsigned long long)p->in.size,
                mesh->rank, (unsigned long long)p->size);
  return 0;
}

/* Sends and receives what is possible without waiting. */
static int move(mesh_t *mesh, int rank, int out, int in) {
  peer_t *p = &mesh->peers[rank];
  struct iovec parts[2];
  struct msghdr message = {.msg_iov = parts};
  if (out && !has_sent(p)) {
    message.msg_iovlen = parts_of(parts, &p->out, p->send, p->out.size, p->sent);
    const ssize_t n = sendmsg(p->socket, &message, MSG_NOSIGNAL);
    if (n < 0 && !is_busy(errno))
      return fail(mesh, "the connection to rank %d is broken: %s", rank, strerror(errno));
    if (n > 0) p->sent += (size_t)n, p->moved = now();
  }
  if (in && !has_received(p)) {
    const size_t before = p->received;
    message.msg_iovlen = parts_of(parts, &p->in, p->receive, p->size, p->received);
    const ssize_t n = recvmsg(p->socket, &message, 0);
    if (n == 0) return fail(mesh, "rank %d has closed its connection", rank);
    if (n < 0 && !is_busy(errno))
      return fail(mesh, "the connection to rank %d is broken: %s", rank, strerror(errno));
    if (n > 0) p->received += (size_t)n, p->moved = now();
    if (before < sizeof p->in && p->received >= sizeof p->in) return check_header(mesh, rank);
  }
  return 0;
}

/* Until all peers have sent and received theirs. */
static int move_all(mesh_t *mesh) {
  const double begin = now();
  for (int r = 0; r < mesh->ranks; ++r) mesh->peers[r].moved = begin;
  for (;;) {
    int waiting = 0;
    for (int r = 0; r < mesh->ranks; ++r) {
      const peer_t *p = &mesh->peers[r];
      const int out = r != mesh->rank && !has_sent(p), in = r != mesh->rank && !has_received(p);
      mesh->set[r].fd = out || in ? p->socket : kNone; /* which poll passes over */
      mesh->set[r].events = (short)((out ? POLLOUT : 0) | (in ? POLLIN : 0));
      waiting += out || in;
    }
    if (waiting == 0) return 0;
    if (poll(mesh->set, (nfds_t)mesh->ranks, 100) < 0 && errno != EINTR)
      return fail(mesh, "poll: %s", strerror(errno));
    for (int r = 0; r < mesh->ranks; ++r) {
      const int found = mesh->set[r].revents, broken = found & (POLLHUP | POLLERR | POLLNVAL);
      if (mesh->set[r].fd == kNone) continue;
      if (found == 0 && now() - mesh->peers[r].moved > mesh->timeout)
        return fail(mesh, "rank %d has been silent for %g s", r, mesh->timeout);
      if (found != 0 && move(mesh, r, broken | (found & POLLOUT), broken | (found & POLLIN)) != 0) return 1;
    }
  }
}

static int call(mesh_t *mesh, uint32_t what, char *send, const size_t *send_sizes, char *receive,
                const size_t *receive_sizes) {
  if (mesh->error[0] != 0) return 1;
  ++mesh->number;
  for (int r = 0; r < mesh->ranks; ++r) {
    peer_t *p = &mesh->peers[r];
    const size_t size = send_sizes == NULL ? receive_sizes[mesh->rank] : send_sizes[r];
    const header_t out = {kMagic, what, mesh->number, size};
    p->out = out;
    p->send = send;
    p->receive = receive;
    p->size = receive_sizes[r];
    p->sent = p->received = 0;
    if (r == mesh->rank && size != 0) memcpy(receive, send, size);
    if (send_sizes != NULL) send += size;
    receive += p->size;
  }
  return move_all(mesh);
}

static int32_t exchange(const void *send, const size_t *send_sizes, void *receive,
                        const size_t *receive_sizes, void *user) {
  return call(user, 1, (char *)send, send_sizes, receive, receive_sizes);
}

static int32_t gather(const void *send, void *receive, const size_t *receive_sizes, void *user) {
  return call(user, 2, (char *)send, NULL, receive, receive_sizes);
}

/* ---- How ranks find each other ------------------------------------------------------------------- */

static int wait_for(int socket, short events, double deadline) {
  struct pollfd set = {.fd = socket, .events = events};
  while (now() < deadline)
    if (poll(&set, 1, 100) > 0) return 1;
  return 0;
}

/* A message without data, by which a rank says who it is and how many there are. */
static int introduce(int socket, int rank, int ranks) {
  const header_t own = {kMagic, 0, (uint64_t)rank, (uint64_t)ranks};
  return send(socket, &own, sizeof own, MSG_NOSIGNAL) == (ssize_t)sizeof own;
}

/* The rank that introduces itself; -1 if that takes too long, or if it is none of this job. */
static int hear(int socket, int ranks, double deadline) {
  header_t other;
  size_t received = 0;
  while (received < sizeof other) {
    if (!wait_for(socket, POLLIN, deadline)) return -1;
    const ssize_t n = recv(socket, (char *)&other + received, sizeof other - received, 0);
    if (n == 0 || (n < 0 && !is_busy(errno))) return -1;
    if (n > 0) received += (size_t)n;
  }
  const int known = other.magic == kMagic && other.what == 0 && other.size == (uint64_t)ranks;
  return known && other.number < (uint64_t)ranks ? (int)other.number : -1;
}

/* A socket that listens at host:port, or that has connected to it; kNone if that is impossible now. */
static int open_socket(const char *address, int listens, double deadline) {
  char host[256];
  const char *port = strrchr(address, ':');
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  const int on = 1;
  int result = kNone;
  if (port == NULL || port - address >= (ptrdiff_t)sizeof host) return kNone;
  memcpy(host, address, (size_t)(port - address));
  host[port - address] = 0;
  if (getaddrinfo(host, port + 1, &hints, &found) != 0) return kNone;
  for (const struct addrinfo *a = found; a != NULL && result == kNone; a = a->ai_next) {
    int error = 0;
    socklen_t size = sizeof error;
    if ((result = socket(a->ai_family, a->ai_socktype, a->ai_protocol)) < 0) continue;
    fcntl(result, F_SETFL, O_NONBLOCK);
    if (listens) {
      setsockopt(result, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      if (bind(result, a->ai_addr, a->ai_addrlen) == 0 && listen(result, SOMAXCONN) == 0) continue;
    } else {
      if (connect(result, a->ai_addr, a->ai_addrlen) == 0) continue;
      if (errno == EINPROGRESS && wait_for(result, POLLOUT, deadline) &&
          getsockopt(result, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
        continue;
    }
    close(result);
    result = kNone;
  }
  freeaddrinfo(found);
  return result;
}

static void keep(mesh_t *mesh, int rank, int socket) {
  const int on = 1;
  fcntl(socket, F_SETFL, O_NONBLOCK);
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  mesh->peers[rank].socket = socket;
}

/* Connects to all lower ranks, which may not have begun yet, and waits for all higher ones. */
static int connect_all(mesh_t *mesh, char **addresses) {
  const double deadline = now() + mesh->patience;
  const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
  int listener = open_socket(addresses[mesh->rank], 1, deadline);
  while (listener == kNone && now() < deadline) {
    nanosleep(&pause, NULL);
    listener = open_socket(addresses[mesh->rank], 1, deadline);
  }
  if (listener == kNone) return fail(mesh, "rank %d cannot listen at %s", mesh->rank, addresses[mesh->rank]);
  for (int r = 0; r < mesh->rank && mesh->error[0] == 0;) {
    const int socket = open_socket(addresses[r], 0, deadline);
    if (socket != kNone && introduce(socket, mesh->rank, mesh->ranks) &&
        hear(socket, mesh->ranks, deadline) == r) {
      keep(mesh, r++, socket);
      continue;
    }
    if (socket != kNone) close(socket);
    if (now() > deadline)
      fail(mesh, "rank %d at %s is not there after %g s", r, addresses[r], mesh->patience);
    nanosleep(&pause, NULL);
  }
  for (int missing = mesh->ranks - 1 - mesh->rank; missing > 0 && mesh->error[0] == 0;) {
    if (!wait_for(listener, POLLIN, deadline)) {
      fail(mesh, "%d higher ranks have not connected after %g s", missing, mesh->patience);
      break;
    }
    const int socket = accept(listener, NULL, NULL);
    if (socket == kNone) continue;
    fcntl(socket, F_SETFL, O_NONBLOCK);
    const double soon = now() + 2;
    const int rank = hear(socket, mesh->ranks, soon < deadline ? soon : deadline);
    if (rank <= mesh->rank || mesh->peers[rank].socket != kNone ||
        !introduce(socket, mesh->rank, mesh->ranks)) {
      close(socket); /* a stranger */
      continue;
    }
    keep(mesh, rank, socket);
    --missing;
  }
  close(listener);
  return mesh->error[0] != 0;
}

static int open_mesh(mesh_t *mesh, const char *given) {
  size_t most = 1;
  char *list = strdup(given);
  for (const char *c = given; *c != 0; ++c) most += *c == ',';
  char **addresses = calloc(most, sizeof *addresses);
  mesh->peers = calloc(most, sizeof *mesh->peers);
  mesh->set = calloc(most, sizeof *mesh->set);
  if (list == NULL || addresses == NULL || mesh->peers == NULL || mesh->set == NULL) {
    fail(mesh, "no memory for %zu ranks", most);
  } else {
    for (char *a = strtok(list, ","); a != NULL; a = strtok(NULL, ",")) {
      mesh->peers[mesh->ranks].socket = kNone;
      addresses[mesh->ranks++] = a;
    }
    if (mesh->rank < 0 || mesh->rank >= mesh->ranks)
      fail(mesh, "rank %d is none of %d addresses", mesh->rank, mesh->ranks);
    else
      connect_all(mesh, addresses);
  }
  free(addresses);
  free(list);
  return mesh->error[0] != 0;
}

static void close_mesh(mesh_t *mesh) {
  fail(mesh, "closed");
  free(mesh->peers);
  free(mesh->set);
}

/* ---- What is trained ----------------------------------------------------------------------------- */

enum { kSymbols = 12, kDelay = 5, kSequences = 256, kLongest = 40 };

typedef struct data {
  rnn_sequences_t sequences;
  size_t lengths[kSequences];
  int32_t inputs[kSequences * kLongest], classes[kSequences * kLongest];
  float weights[kSequences * kLongest];
} data_t;

/* Symbols drawn at random, and as the target of each the one kDelay steps before it. A rank has the sequences of its
 * lanes, in their order: a machine of a cluster would read them from files. */
static void make_data(data_t *data, int32_t lanes, const mesh_t *mesh) {
  size_t frames = 0, count = 0;
  for (uint32_t n = 0; n < kSequences; ++n) {
    if (rnn_rank_of(rnn_lane_of(n, lanes), lanes, mesh->ranks) != mesh->rank) continue;
    uint32_t random = 2654435769u * (n + 1);
    const size_t length = data->lengths[count++] = kLongest / 2 + n * 7 % (kLongest / 2 + 1);
    for (size_t t = 0; t < length; ++t, ++frames) {
      random = 1664525u * random + 1013904223u;
      data->inputs[frames] = (int32_t)((random >> 16) % kSymbols);
      data->classes[frames] = t < kDelay ? 0 : data->inputs[frames - kDelay];
      data->weights[frames] = t < kDelay ? 0.0f : 1.0f;
    }
  }
  data->sequences.struct_size = sizeof data->sequences;
  data->sequences.count = count;
  data->sequences.frames = frames;
  data->sequences.lengths = data->lengths;
  data->sequences.indices = data->inputs;
  data->sequences.classes = data->classes;
  data->sequences.weights = data->weights;
}

typedef struct job {
  mesh_t mesh;
  rnn_trainer_t *trainer;
  const char *checkpoint;
  uint64_t save_every; /* updates */
  rnn_status_t status; /* of saving */
} job_t;

/* All ranks save at the same update: each has a part of the optimiser's state, which rank 0 gathers and writes. */
static int32_t report(const rnn_progress_t *progress, void *user) {
  job_t *job = user;
  if (progress->update % job->save_every != 0) return 0;
  if (job->mesh.rank == 0)
    printf("update %llu: loss %.4f\n", (unsigned long long)progress->update, progress->loss);
  fflush(stdout);
  job->status = rnn_trainer_save(job->trainer, job->checkpoint);
  return job->status != RNN_OK;
}

/* Whether there is a checkpoint, as rank 0 sees it, which reads it for all. */
static int has_checkpoint(job_t *job) {
  const char own = access(job->checkpoint, F_OK) == 0;
  char found = 0;
  size_t *sizes = calloc((size_t)job->mesh.ranks, sizeof *sizes);
  if (sizes == NULL) return 0;
  sizes[0] = 1;
  if (gather(&own, &found, sizes, &job->mesh) != 0) found = 0; /* the next call of librnn fails, too */
  free(sizes);
  return found;
}

static rnn_status_t train(job_t *job, const data_t *data, const rnn_train_options_t *options) {
  const rnn_config_t config = {.struct_size = sizeof config,
                               .cell = RNN_CELL_LSTM,
                               .input_size = kSymbols,
                               .hidden_size = 48,
                               .output_size = kSymbols,
                               .seed = 1};
  rnn_t *network = NULL;
  rnn_status_t status = rnn_create(&config, &network);
  if (status == RNN_OK) status = rnn_trainer_create(network, options, &job->trainer);
  if (status == RNN_OK && has_checkpoint(job)) status = rnn_trainer_load(job->trainer, job->checkpoint);
  if (status == RNN_OK) status = rnn_trainer_run(job->trainer, &data->sequences);
  if (status == RNN_OK) status = job->status; /* the run was stopped since saving had failed */
  if (status == RNN_OK) status = rnn_trainer_save(job->trainer, job->checkpoint);
  if (status != RNN_OK)
    fprintf(stderr, "sockets: rank %d: %s%s%s\n", job->mesh.rank, rnn_last_error(),
            job->mesh.error[0] ? ": " : "", job->mesh.error);
  rnn_trainer_destroy(job->trainer);
  rnn_destroy(network);
  return status;
}

static int usage(void) {
  fprintf(stderr,
          "usage: sockets -r RANK -a HOST:PORT,HOST:PORT,... [OPTION VALUE]...\n"
          "  -r  this process; default: $RANK\n"
          "  -a  where each rank listens, in their order; default: $ADDRESSES\n"
          "  -c  checkpoint to go on from and to write; default: sockets.checkpoint\n"
          "  -k  updates between two checkpoints; default: 20\n"
          "  -e  epochs; default: 20\n"
          "  -l  lanes; default: 16\n"
          "  -j  threads; default: all\n"
          "  -t  seconds without a sign of life of a rank; default: 60\n"
          "  -w  seconds until all ranks have to be there; default: 300\n");
  return 2;
}

int main(int argc, char **argv) {
  static data_t data;
  job_t job = {
      .mesh = {.timeout = 60, .patience = 300}, .checkpoint = "sockets.checkpoint", .save_every = 20};
  rnn_collective_t collective = {.struct_size = sizeof collective,
                                 .user = &job.mesh,
                                 .exchange = exchange,
                                 .gather = gather,
                                 .own_sequences = 1};
  rnn_train_options_t options = {.struct_size = sizeof options,
                                 .learning_rate = 0.01f,
                                 .clip_norm = 1.0f,
                                 .epochs = 20,
                                 .batch_size = 64,
                                 .lanes = 16,
                                 .progress = report,
                                 .user = &job,
                                 .collective = &collective};
  const char *rank = getenv("RANK"), *addresses = getenv("ADDRESSES");
  for (int option; (option = getopt(argc, argv, "r:a:c:k:e:l:j:t:w:")) != -1;) {
    if (option == 'r') rank = optarg;
    if (option == 'a') addresses = optarg;
    if (option == 'c') job.checkpoint = optarg;
    if (option == 'k') job.save_every = strtoull(optarg, NULL, 10);
    if (option == 'e') options.epochs = atoi(optarg);
    if (option == 'l') options.lanes = atoi(optarg);
    if (option == 'j') options.threads = atoi(optarg);
    if (option == 't') job.mesh.timeout = atof(optarg);
    if (option == 'w') job.mesh.patience = atof(optarg);
    if (option == '?') return usage();
  }
  if (rank == NULL || addresses == NULL || job.save_every == 0 || optind != argc) return usage();
  signal(SIGPIPE, SIG_IGN); /* for systems that lack MSG_NOSIGNAL */

  job.mesh.rank = collective.rank = atoi(rank);
  int failed = open_mesh(&job.mesh, addresses);
  collective.ranks = job.mesh.ranks;
  if (failed) fprintf(stderr, "sockets: rank %d: %s\n", job.mesh.rank, job.mesh.error);
  if (!failed) make_data(&data, options.lanes, &job.mesh);
  if (!failed) failed = train(&job, &data, &options) != RNN_OK;
  close_mesh(&job.mesh);
  return failed;
}
