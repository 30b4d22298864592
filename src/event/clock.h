/* event/clock.h - time: the machine's and the host's.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A machine's virtual clock: nanoseconds since the machine was made, standing still while the
 * machine is stopped.  May be driven by hand (qtest).  Context: any thread, lock-free reads. */
struct vclock;

/* At 0, and running. */
struct vclock *vclock_new(void);
/* At 0, and standing still. */
struct vclock *vclock_new_stopped(void);
void vclock_free(struct vclock *c);
int64_t vclock_now(const struct vclock *c);
void vclock_stop(struct vclock *c);
void vclock_start(struct vclock *c);
bool vclock_is_running(const struct vclock *c);
/* From now on time moves only by vclock_set(), which never goes back; stopping and starting still
 * decide whether timers fire.  Whoever starts or sets a clock calls loop_clock_changed(). */
void vclock_set_manual(struct vclock *c);
bool vclock_is_manual(const struct vclock *c);
void vclock_set(struct vclock *c, int64_t ns);

/* CLOCK_MONOTONIC, ns. */
int64_t clock_host_ns(void);
/* CLOCK_REALTIME, ns since the epoch. */
int64_t clock_wall_ns(void);
