// Holds a Pod's namespaces: sleeps until it is asked to end, and reaps orphans where the Pod shares its process ids.
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

int main(void) {
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGCHLD);
  sigaddset(&awaited, SIGINT);
  sigaddset(&awaited, SIGTERM);
  sigprocmask(SIG_BLOCK, &awaited, NULL);
  for (int received = 0; received != SIGINT && received != SIGTERM;) {
    sigwait(&awaited, &received);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
  return 0;
}
