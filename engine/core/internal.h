/*
 * What the files of the core tell each other; nobody outside includes this.
 * Grouped by file; every function may append to fx and save its objects.
 */
#ifndef REMUDA_CORE_INTERNAL_H
#define REMUDA_CORE_INTERNAL_H

#include "engine/core/planted.h"
#include "engine/core/step.h"
#include "engine/core/world.h"

/* ---- world.c / apply.c: the site ------------------------------------- */
void apply_site(struct world *w, struct effects *fx, struct site_spec *spec,
		const struct world_rows *rows, bool rebooted);

/* ---- override.c: what an operator said over the site file -------------- */
/* NULL: nothing. */
const struct override_row *override_get(const struct world *w, const char *noun,
					const char *name, const char *what);
int64_t override_value(const struct world *w, const char *noun,
		       const char *name, const char *what, int64_t otherwise);
/* As it was saved. */
void override_put(struct world *w, const struct override_row *row);
/* Said by the command ev, durably; and that it holds no longer. */
void override_say(struct world *w, struct effects *fx, const struct event *ev,
		  const char *noun, const char *name, const char *what,
		  int64_t value);
void override_take_back(struct world *w, struct effects *fx, const char *noun,
			const char *name, const char *what);
void override_end(struct world *w, struct effects *fx, size_t index);

/* ---- machine.c: the life of one machine -------------------------------- */
struct machine *machine_new(struct world *w, const struct machine_row *row,
			    struct pool *pool);
/* Sets what is wanted of it; the caller saves and kicks. */
void machine_want(struct machine *m, enum machine_wish wish);
/* To be retired, and not there yet. */
bool machine_is_leaving(const struct machine *m);
/* The one place where a machine's state changes.  why: for people. */
void machine_move(struct world *w, struct effects *fx, struct machine *m,
		  enum machine_state to, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* life.c: starts whatever the machine's state and wish call for, if anything. */
void machine_kick(struct world *w, struct effects *fx, struct machine *m);
void machine_on_timer(struct world *w, struct effects *fx, struct machine *m);
/* A job ended; text says why when it did not succeed. */
void machine_on_job(struct world *w, struct effects *fx, struct machine *m,
		    enum call_result result, const char *text);
/* Its domain is not there any more (poll).  blame: it counts as its failure. */
void machine_died(struct world *w, struct effects *fx, struct machine *m,
		  const char *why, bool blame);
/* Boot, prepare or cleaning failed: next rung, back-off or quarantine. */
void machine_fail(struct world *w, struct effects *fx, struct machine *m,
		  const char *why);
void machine_back_off(struct world *w, struct machine *m);
/* Sets the timer for its retry or deadline, whichever comes first. */
void machine_arm(struct world *w, struct machine *m);
/* Leaves its session behind: cleaning by the pool's rung, or the fast way. */
void machine_begin_clean(struct world *w, struct effects *fx,
			 struct machine *m, enum rung rung, const char *why);
void machine_cancel_calls(struct world *w, struct effects *fx,
			  struct machine *m);
void machine_forget_calls(struct world *w, struct machine *m);
bool machine_expects_domain(const struct machine *m);
/* May be assigned right now. */
bool machine_is_free(const struct machine *m);
/* Its host gives an untrusted machine what it needs (see pool_refuses). */
bool machine_is_isolated(const struct machine *m);
/* The CHECK of that, for whatever starts a domain. */
void machine_check_isolated(const struct machine *m);
/* Puts on or takes off its pool's list of free machines. */
void machine_update_ready(struct world *w, struct machine *m);
void machine_check(const struct world *w, const struct machine *m);
/* It runs on another host now. */
void machine_moved(struct world *w, struct effects *fx, struct machine *m,
		   struct host *to);

/* ---- roll.c: replacing what is outdated --------------------------------- */
bool machine_is_outdated(const struct machine *m);
/* The pool's version may have changed: counts and begins. */
void roll_begin(struct world *w, struct effects *fx, struct pool *p);
/* Replaces as many as may go now. */
void roll_step(struct world *w, struct effects *fx, struct pool *p);
/* How many free ones may go now, and how many more than wanted there may be. */
uint32_t roll_decide(const struct pool *p);
uint32_t roll_surge(const struct pool *p);
/* ---- image.c: machines on disk ------------------------------------------ */
/* It has an image, of what its pool's machines are built from now. */
bool image_fits(const struct machine *m);
/* Prepared, it goes to disk before it is offered. */
bool image_wanted(const struct machine *m);
/* A ready machine could still be saved: nobody used it since its boot. */
bool image_possible(const struct machine *m);
void image_save(struct world *w, struct effects *fx, struct machine *m);
/* A ready machine back to its image: the domain ends, the image stays. */
void image_sleep(struct world *w, struct effects *fx, struct machine *m);
void image_wake(struct world *w, struct effects *fx, struct machine *m,
		const char *why);
/* Begins JOB_RESTORE, for a machine that wakes or is reverted. */
void image_restore(struct world *w, struct effects *fx, struct machine *m);
/* The answer of the restore has every piece of evidence (decisions.md 11). */
bool image_proven(const struct machine *m);
void image_restored(struct effects *fx, struct machine *m);
/* Its files may be there still, and are not to be restored. */
void image_doubt(struct machine *m);
/* They are gone. */
void image_forget(struct machine *m);
/* In saving, saved and waking. */
void image_kick(struct world *w, struct effects *fx, struct machine *m);
void image_on_job(struct world *w, struct effects *fx, struct machine *m,
		  enum call_result result, const char *text);

/* ---- volume.c: files of machines --------------------------------------- */
/* Makes the durable intent of a volume; number: of the disk (from 1), or the
 * incarnation of a SESSION.  The name is taken from machine, build and kind.
 * base: stamp of what it is made from, or "". */
struct volume *volume_intend(struct world *w, struct effects *fx,
			     struct machine *m, enum volume_kind kind,
			     uint64_t number, const char *base);
/* The overlays of a restore, one on each DISK, named after built. */
void volumes_overlay(struct world *w, struct effects *fx, struct machine *m);
/* All of those were reported as made. */
bool volumes_are_fresh(const struct machine *m);
uint32_t volumes_overlays(const struct machine *m);
/* The restore deleted the overlays of the life before: so do their rows. */
void volumes_forget_old(struct effects *fx, struct machine *m);
void volume_restore(struct world *w, const struct volume_row *row);
void volume_on_made(struct world *w, struct effects *fx, const struct event *ev);
/* Begins to delete one of the machine's volumes; false when there is none.
 * The domain must be gone.  machine_on_job hears how it went. */
bool volumes_delete(struct world *w, struct effects *fx, struct machine *m);
void volume_on_deleted(struct effects *fx, struct machine *m,
		       enum call_result result);
void volumes_free(struct machine *m);

/* ---- base.c: what machines are made from --------------------------------- */
bool base_has(const struct pool *p);
/* May a machine boot from it now?  If not, a look is on its way. */
bool base_is_usable(struct world *w, struct effects *fx, struct pool *p);
void base_look(struct world *w, struct effects *fx, struct pool *p);
void base_on_looked(struct world *w, struct effects *fx, uint64_t call,
		    const struct event *ev);
/* Its host's role died: the look under way has no answer. */
void base_on_host_lost(struct world *w, const struct host *h);
/* The site file changed what it is, or the pool is gone. */
void base_forget(struct world *w, struct pool *p);
/* Intends the volumes of a machine that boots. */
void base_intend(struct world *w, struct effects *fx, struct machine *m);

/* ---- clean.c: the rungs ------------------------------------------------ */
/* What comes after the clean hook: back to the image, or made anew. */
enum rung clean_below(const struct machine *m);
/* The first rung after a session, or when nothing is sure. */
enum rung clean_first_rung(const struct machine *m);
void clean_kick(struct world *w, struct effects *fx, struct machine *m);
void clean_on_job(struct world *w, struct effects *fx, struct machine *m,
		  enum call_result result, const char *text);

/* ---- call.c: acts on their way ------------------------------------------ */
struct call *call_new(struct world *w, enum call_kind kind, struct machine *m,
		      struct host *host, int64_t deadline_ms);
void call_free(struct world *w, struct call *c);
void call_on_done(struct world *w, struct effects *fx, const struct event *ev);
void call_on_timer(struct world *w, struct effects *fx, struct call *c);
/* Begins a job: the act's effect is returned for the caller to fill in. */
struct effect *job_start(struct world *w, struct effects *fx,
			 struct machine *m, enum job job, enum effect_kind act,
			 int64_t timeout_ms);

/* ---- hook.c: hooks and their steps -------------------------------------- */
bool hook_defined(const struct machine *m, enum hook hook);
void hook_start(struct world *w, struct effects *fx, struct machine *m,
		enum hook hook);
void hook_on_step(struct world *w, struct effects *fx, const struct event *ev);
void hook_on_step_done(struct world *w, struct effects *fx, struct machine *m,
		       const struct event *ev);
void hook_on_done(struct world *w, struct effects *fx, uint64_t call, bool ok,
		  struct slice text, bool lost);
void hook_on_rules_lost(struct world *w, struct effects *fx);

/* ---- pool.c: how many machines --------------------------------------------- */
void pool_unbalance(struct world *w, struct pool *p);
/* For good, when its session, if any, has ended and it is clean. */
void machine_retire(struct world *w, struct effects *fx, struct machine *m);
void pools_balance(struct world *w, struct effects *fx);
void pools_forget_empty(struct world *w);
/* Puts a machine on its pool's lists and off them. */
void pool_add(struct pool *p, struct machine *m);
void pool_remove(struct pool *p, struct machine *m);
void pool_free(struct pool *p);
uint32_t pool_busy(const struct pool *p);
uint32_t pool_alive(const struct pool *p);
/* How many run or will in a moment; how many should. */
uint32_t pool_running(const struct pool *p);
uint32_t pool_target(const struct pool *p);
/*
 * Untrusted machines only where they are isolated: true, with the reason and
 * what would fix it, when the pool's host does not give that.
 */
bool pool_refuses(const struct pool *p, char *why, size_t why_size);
/* One machine more, on that host; slot 0 = the lowest that is free. */
struct machine *pool_create(struct world *w, struct effects *fx,
			    struct pool *p, struct host *h, uint32_t slot,
			    uint32_t vcpus, uint64_t memory_mib);
/* What sizing would do now: +n create, -n retire; why for people. */
int pool_decide(const struct pool *p, char *why, size_t why_size);

/* ---- host.c ------------------------------------------------------------------- */
void host_on_state(struct world *w, struct effects *fx, const struct event *ev);
void host_on_lost(struct world *w, struct effects *fx, struct host *h);
void host_on_timer(struct world *w, struct effects *fx, struct host *h);
void host_on_poll_done(struct world *w, struct effects *fx, struct host *h,
		       const struct event *ev);
void host_on_seen(struct world *w, struct effects *fx, const struct event *ev);
void host_on_hint(struct world *w, struct effects *fx, const struct event *ev);
void host_poll(struct world *w, struct effects *fx, struct host *h);
/* What untrusted machines need: KVM and a security label each. */
bool host_isolates(const struct host *h);
/* Why no machine is made there: its storage is short.  False: it is not. */
bool host_is_full(const struct world *w, const struct host *h, char *why,
		  size_t why_size);
/* A boot slot of the host went free: let the next machine of it start. */
void host_kick_waiting(struct world *w, struct effects *fx, struct host *h);

/* ---- admit.c: who may, and how much (admit.h) ------------------------------ */
struct refusal {
	char code[32];
	char text[ROW_TEXT_SIZE];
	uint64_t session;	/* duplicate: the one it has */
};
/* The site has changed: names, members, counts. */
void admit_index(struct world *w);
/* A user has changed: decisions are made anew. */
void admit_forget(struct world *w);
void admit_fini(struct world *w);
void admit_set_disabled(struct world *w, const char *user, bool disabled);
/* Live sessions and waiting requests that begin (> 0) or end. */
void admit_count(struct world *w, const char *user, const char *application,
		 const char *listener, int sessions, int waiting);
bool admit_within_limits(struct world *w, const struct request *r,
			 struct refusal *no);

/* ---- request.c: from arrival to the accepting machine ------------------------ */
void request_on_event(struct world *w, struct effects *fx,
		      const struct event *ev);
void request_on_refused(struct world *w, struct effects *fx,
			const struct event *ev);
void request_on_cancel(struct world *w, struct effects *fx, uint32_t gateway,
		       uint64_t conn);
void request_on_timer(struct world *w, struct effects *fx, struct request *r);
void request_refuse(struct world *w, struct effects *fx, struct request *r,
		    const char *code, const char *text);
/* It became a session and stays with it until request_settled. */
void request_assigned(struct world *w, struct effects *fx, struct request *r,
		      struct session *s);
void request_settled(struct world *w, struct session *s);
/* It joined the session its user had lost; r is freed. */
/* Nobody is there to be joined any more: it goes its own way. */
void request_alone(struct world *w, struct effects *fx, struct request *r);
bool request_is_entitled(struct world *w, const struct request *r,
			 struct refusal *no);
void request_returned(struct world *w, struct effects *fx, struct request *r);
/* It became several sessions, each with a ticket; first is one of them. */
void request_granted(struct world *w, struct effects *fx, struct request *r,
		     uint64_t first);
/* Its machine did not accept, nothing of the client's went in: the next one. */
void request_again(struct world *w, struct effects *fx, struct request *r,
		   const char *machine, const char *text);

/* ---- token.c: tokens made while the engine runs --------------------------------- */
void tokens_restore(struct world *w, const struct token_row *rows, size_t count);
void tokens_fini(struct world *w);
/* The token a request came with is good for it, and kept for it if once. */
bool token_hold(struct world *w, struct request *r, struct slice hash,
		struct refusal *no);
/* Its session is in this turn's commit. */
void token_spend(struct world *w, struct effects *fx, const struct request *r);
void token_let_go(struct world *w, const struct request *r);
void command_token(struct world *w, struct effects *fx, const struct event *ev);

/* ---- queue.c: lines of those who wait ------------------------------------------ */
/* Finds the request's line and the pool that would grow for it. */
bool queue_find(struct world *w, struct request *r);
bool queue_has_room(struct world *w, struct request *r, struct refusal *no);
bool queue_is_empty(const struct world *w, const struct request *r);
/* A free machine of any pool of its line, which becomes the request's. */
struct machine *queue_machine(struct world *w, struct request *r);
/* As many machines as it wants are free. */
bool queue_can_give(const struct world *w, const struct request *r);
void queue_give(struct world *w, struct effects *fx, struct request *r);
/* again: before the user's other requests. */
void queue_enter(struct world *w, struct effects *fx, struct request *r,
		 bool again);
/* Does nothing to one that does not wait. */
void queue_leave(struct world *w, struct request *r, bool served);
/* Gives free machines to those whose turn it is. */
void queue_serve(struct world *w, struct effects *fx, struct line *l);
/* Nobody of that user waits any more. */
void queue_drop_user(struct world *w, struct effects *fx, const char *user,
		     const char *code, const char *text);
void queue_drop_gateway(struct world *w, struct effects *fx, uint32_t gateway);
void queue_why_late(const struct world *w, const struct request *r, char *out,
		    size_t out_size);
/* Pools have changed: lines and homes are made anew. */
void queue_index(struct world *w, struct effects *fx);
void queue_clear(struct world *w);
void queue_on_line_timer(struct world *w, struct line *l);
/* Places that have changed go to their clients. */
void queue_tell(struct world *w, struct effects *fx);

/* ---- assign.c: a machine for a request ----------------------------------------- */
/* The free machine a pool gives next, or NULL. */
struct machine *assign_choose(const struct pool *p);
void assign(struct world *w, struct effects *fx, struct request *r,
	    struct machine *m);
/* The session and its reserved machine, saved in this turn.  ticket: hash of
 * the one its client will show, or NULL. */
struct session *assign_session(struct world *w, struct effects *fx,
			       const struct request *r, struct machine *m,
			       uint64_t nonce, const char *ticket);
/* Its client is there: accept hook, channels, gateway. */
void assign_accept(struct world *w, struct effects *fx, struct machine *m,
		   struct session *s);
/* It did not accept, and its gateway has not heard of it or said so. */
void assign_failed(struct world *w, struct effects *fx, struct session *s,
		   const char *text);
/* Gives the gateway its time to answer about an assigned session. */
void assign_await(struct world *w, struct machine *m);
/* For a returning user: as after the accept hook. */
void assign_again(struct world *w, struct effects *fx, struct machine *m,
		  struct session *s);
/* The accept hook or the opening of channels ended. */
void assign_on_job(struct world *w, struct effects *fx, struct machine *m,
		   enum call_result result, const char *text);
void assign_on_opened(struct world *w, struct effects *fx, struct machine *m,
		      const struct call *c, const struct event *ev);

/* ---- ticket.c: several machines for one request ------------------------------------ */
/* Its turn has come and as many machines are free. */
void ticket_grant(struct world *w, struct effects *fx, struct request *r);
void ticket_on_claim(struct world *w, struct effects *fx, const struct event *ev);
/* A saved session nobody had come for. */
void ticket_restore(struct world *w, struct machine *m, struct session *s);
void ticket_forget(struct world *w, const struct session *s);

/* ---- session.c --------------------------------------------------------------------- */
bool session_is_final(const struct session *s);
struct session *session_new(struct world *w, const struct session_row *row);
void session_on_accepted(struct world *w, struct effects *fx,
			 const struct event *ev);
void session_on_failed(struct world *w, struct effects *fx,
		       const struct event *ev);
void session_on_ended(struct world *w, struct effects *fx,
		      const struct event *ev);
void session_on_bytes(struct world *w, const struct event *ev);
/* The live session a gateway's message is about, if its epoch is right. */
struct session *session_of_message(struct world *w, const struct event *ev);
/* Ends a live session in the given final state; its machine is cleaned. */
void session_finish(struct world *w, struct effects *fx, struct session *s,
		    enum session_state final, const char *text);
/* Tells its gateway that it is over, for reasons the gateway cannot know. */
void session_dismiss(struct effects *fx, const struct session *s,
		     const char *code, const char *text);
/* For an operator's reasons; ends when its gateway has cut it. */
void session_end_now(struct world *w, struct effects *fx, struct session *s,
		     const char *text);
/* Closes the channel that was opened for it and not sent yet. */
void session_drop_port(struct effects *fx, struct session *s);
/* Its last connection is over: it ends, or lingers. */
void session_left(struct world *w, struct effects *fx, struct session *s,
		  enum session_end how, const char *text);
/* Gateways may still hold connections of it. */
bool session_is_held(const struct session *s);
/* Its bytes, of all connections. */
void session_count_bytes(struct session *s);
/* Its gateway does not hold it, or not any more. */
void session_let_go(struct world *w, struct effects *fx, struct session *s);
/* The gateway did not answer about an assigned session in time. */
void session_give_up(struct world *w, struct effects *fx, struct machine *m);
/* The machine of an ended session is clean (or given up). */
void session_cleaned(struct world *w, struct effects *fx, struct machine *m,
		     bool clean, const char *text);

/* ---- limit.c: how long a session may last ------------------------------------------- */
/* It was accepted just now. */
void limit_begin(struct world *w, struct session *s);
/* It was found in the store after a restart. */
void limit_resume(struct world *w, struct session *s);
/* Its newest byte count is from quiet_ms ago. */
void limit_moved(struct world *w, struct session *s, int64_t quiet_ms);
/* Sets the timer for whatever comes first. */
void limit_arm(struct world *w, struct session *s);
void limit_on_timer(struct world *w, struct effects *fx, struct session *s);
/* Its gateway is to end it, now or as soon as it can be told. */
void limit_stop(struct world *w, struct effects *fx, struct session *s,
		const char *text);
/* The user asks for more time. */
void limit_on_extend(struct world *w, struct effects *fx,
		     const struct event *ev);
/* Returns NULL, or why it cannot be extended. */
const char *limit_extend(struct world *w, struct effects *fx, struct session *s,
			 int64_t ms);

/* The application of its pool, as the site has it today. */
const struct site_application *limit_application(const struct world *w,
						 const struct session *s);

/* ---- linger.c: a lost connection and its user's return ------------------------------- */
/* Its connection was lost: true when it lingers instead of ending. */
bool linger_begin(struct world *w, struct effects *fx, struct session *s,
		  const char *text);
/* The session its user comes back to with this request, or NULL. */
struct session *linger_find(const struct world *w, const struct request *r);
void linger_return(struct world *w, struct effects *fx, struct session *s,
		   struct request *r);
/* A gateway that outlived an engine holds the connection of a return. */
void linger_adopted(struct world *w, struct session *s);
void linger_accepted(struct world *w, struct effects *fx, struct session *s);
/* The return failed, its client has been told: away again. */
void linger_failed(struct world *w, struct effects *fx, struct session *s);
/* Its gateway did not answer about a return. */
void linger_give_up(struct world *w, struct effects *fx, struct session *s);
/* It was found in the store, lingering. */
void linger_resume(struct world *w, struct session *s);

/* ---- share.c: which requests join a session, and which wait to ----------------------- */
/* Where its application is shared it is found by its user's requests. */
void share_add(struct world *w, struct session *s);
void share_remove(struct world *w, struct session *s);
/* It may be joined now, or not any more. */
void share_note(struct world *w, struct session *s);
/* There is a session to join, or one that will be: share_enter then. */
bool share_wants(struct world *w, const struct request *r);
void share_enter(struct world *w, struct effects *fx, struct request *r,
		 int64_t wait_ms);
/* It takes a machine; its user's next requests follow it. */
void share_lead(struct world *w, struct request *r);
void share_leave(struct world *w, struct request *r);
bool share_follows(const struct request *r);
bool share_is_shared(const struct world *w, const char *application);
void shares_kick(struct world *w, struct effects *fx);
/* The site has changed. */
void shares_index(struct world *w);
/* Those of that gateway, or of that user, will not join any more. */
void shares_drop_gateway(struct world *w, struct effects *fx, uint32_t gateway);
void shares_drop_user(struct world *w, struct effects *fx, const char *user,
		      const char *code, const char *text);
void shares_fini(struct world *w);

/* ---- join.c: further connections of a session ------------------------------------------ */
enum { JOINS_MAX = 256 };	/* of one session at once */
void join_begin(struct world *w, struct effects *fx, struct session *s,
		struct request *r);
void join_restore(struct world *w, struct effects *fx,
		  const struct join_row *row);
/* False: the message is about no join. */
bool join_on_accepted(struct world *w, const struct event *ev);
void join_on_timer(struct world *w, struct effects *fx, struct join *j);
bool join_on_failed(struct world *w, struct effects *fx, const struct event *ev);
bool join_on_ended(struct world *w, struct effects *fx, const struct event *ev);
bool join_on_bytes(struct world *w, const struct event *ev);
bool join_on_held(struct world *w, struct effects *fx, const struct event *ev);
/* The live session of a join a message is about, or NULL. */
struct session *join_session_of(struct world *w, const struct event *ev);
/* Its own connection is over: true when it goes on with others. */
bool join_goes_on(struct world *w, struct effects *fx, struct session *s,
		  bool confirm);
/* Tells their gateways to end them, as EFFECT_STOP; false: some cannot be told. */
bool joins_stop(struct world *w, struct effects *fx, struct session *s,
		int64_t quiet_ms, const char *text);
/* Their session is over, whatever they are doing. */
void joins_dismiss(struct effects *fx, struct session *s, const char *text);
void joins_forget(struct world *w, struct effects *fx, struct session *s);
/* A gateway reports what it holds; what it did not is lost; so are all. */
void joins_on_report(struct world *w, uint32_t gateway);
void joins_lose(struct world *w, struct effects *fx, uint32_t gateway,
		bool unreported_only, const char *why);
void joins_fini(struct world *w);

/* ---- adopt.c: gateways that outlived an engine --------------------------------------- */
void adopt_on_up(struct world *w, struct effects *fx, const struct event *ev);
void adopt_on_session(struct world *w, struct effects *fx,
		      const struct event *ev);
void adopt_on_ready(struct world *w, struct effects *fx, uint32_t gateway);
void adopt_on_lost(struct world *w, struct effects *fx, const struct event *ev);

/* ---- resource.c: where resources are served ------------------------------------------------ */
/* Opens channels to resource machines that came up; tells gateways. */
void resources_kick(struct world *w, struct effects *fx);
void resource_on_opened(struct world *w, struct effects *fx,
			const struct call *c, const struct event *ev);
void resource_on_lost(struct world *w, struct effects *fx,
		      const struct event *ev);
void resource_machine_lost(struct world *w, struct effects *fx,
			   const struct machine *m);
void resource_forget_targets(struct world *w);

/* ---- access.c: who may reach them ------------------------------------------------------------ */
/* What gateway 0 was told agrees with the tables of the site. */
void access_check(const struct world *w, const struct session *s);
bool resource_allows(const struct world *w, const struct resource *r,
		     const char *user);
/* The session is active: its ways are wanted.  Again does no harm. */
void access_begin(struct world *w, struct machine *m, struct session *s);
void access_end(struct session *s);
/* Gives gateway 0 what is wanted. */
void access_kick(struct world *w, struct effects *fx);
void access_on_opened(struct world *w, struct effects *fx,
		      const struct call *c, const struct event *ev);
/* The site's access tables may have changed. */
void access_refresh(struct world *w, struct effects *fx);
/* Gateway 0 came up: it holds what it will say until it is ready. */
void access_on_gateway(struct world *w);
void access_on_lost(struct world *w);
void access_on_held(struct world *w, struct effects *fx, const struct event *ev);
/* True when nothing the machine's session could reach is open any more; else
 * gateway 0 was told, and its answer kicks the machine. */
bool access_cut(struct world *w, struct effects *fx, struct machine *m);
void access_on_closed(struct world *w, struct effects *fx,
		      const struct event *ev);

/* ---- visit.c: open connections to resources ---------------------------------------------------- */
void visit_on_opened(struct world *w, const struct event *ev);
void visit_on_used(struct world *w, struct effects *fx, const struct event *ev);
void visits_drop_session(struct world *w, uint64_t session);
void visits_clear(struct world *w);

/* ---- command.c ------------------------------------------------------------------------------ */
void command_on_event(struct world *w, struct effects *fx, const struct event *ev);
void command_reply(struct effects *fx, const struct event *ev, bool ok,
		   const char *code, const char *text);
/* It was done: a line of history about an object, and the answer. */
void command_done(struct world *w, struct effects *fx, const struct event *ev,
		  const char *noun, const char *name, const char *text);
void command_user(struct world *w, struct effects *fx, const struct event *ev);

/* ---- cluster.c ------------------------------------------------------------------------------ */
void apply_clusters(struct world *w, struct effects *fx);
void clusters_begin(struct world *w, struct effects *fx);
void clusters_fini(struct world *w);
void cluster_restore(struct world *w, struct effects *fx,
		     const struct cluster_row *row);
void cluster_save(struct world *w, struct effects *fx, struct cluster *c);
/* Its nodes' parts, number and change: what a pool's balancing is elsewhere. */
void cluster_balance(struct world *w, struct effects *fx, struct pool *p);
struct machine *cluster_create(struct world *w, struct effects *fx,
			       struct cluster *c, struct host *h, uint32_t slot,
			       uint32_t vcpus, uint64_t memory_mib);
/* Counts as one of its nodes, whatever it does just now. */
bool cluster_is_member(const struct machine *m);
void clusters_on_gateway(struct world *w, struct effects *fx, uint32_t gateway,
			 bool fresh);
void clusters_on_gateway_lost(struct world *w, struct effects *fx,
			      uint32_t gateway);
void cluster_on_count(struct world *w, const struct event *ev);
void cluster_on_vip(struct world *w, struct effects *fx, const struct event *ev);

/* ---- node.c ---------------------------------------------------------------------------------- */
struct node *node_new(struct machine *m);
void node_free(struct world *w, struct node *n);
void node_kick(struct world *w, struct effects *fx, struct machine *m);
/* Its views changed. */
void node_look(struct world *w, struct effects *fx, struct machine *m);
void node_on_state(struct world *w, struct effects *fx, const struct event *ev);
void node_on_count(struct world *w, struct effects *fx, const struct event *ev);
void node_on_cut(struct world *w, struct effects *fx, const struct event *ev);
void node_on_timer(struct world *w, struct effects *fx, struct node *n);
void node_on_job(struct world *w, struct effects *fx, struct machine *m,
		 enum call_result result, const char *text);
/* A hint says that its domain ended; a poll that it runs. */
void node_set_ended(struct world *w, struct machine *m, bool ended);
void node_tell_gateway(struct world *w, struct effects *fx, uint32_t gateway);
/* What gateways are told of its nodes may be another now: where they serve. */
void node_tell_again(const struct world *w, struct effects *fx,
		     const struct cluster *c);
void node_forget_gateway(struct world *w, struct effects *fx, uint32_t gateway);
void node_check_guest(struct world *w, struct effects *fx, struct machine *m);

/* ---- change.c, change_step.c, change_plan.c ------------------------------------------------------------------ */
/* NULL with why: refused, or what a dry run would do. */
struct change *change_start(struct world *w, struct effects *fx,
			    struct cluster *c, const struct change_wish *wish,
			    char *why, size_t why_size);
void change_begin(struct world *w, struct effects *fx, struct change *ch);
void change_restore(struct world *w, struct effects *fx,
		    const struct change_row *row);
void change_resume(struct world *w, struct effects *fx, struct change *ch);
void change_kick(struct world *w, struct effects *fx, struct change *ch);
enum { CHANGE_LIVE_MS = 120000,	/* a migration, a resize */
       CHANGE_FAILURES = 2 };	/* of a new machine: the change fails */
/* Its present step is done; false as well when it failed, and is being undone. */
bool change_step_is_done(struct world *w, struct effects *fx, struct change *ch);
/* The new are out, the old in rotation or dead. */
bool change_is_undone(struct world *w, struct effects *fx, struct change *ch);
void change_fail(struct world *w, struct effects *fx, struct change *ch,
		 const char *why);
/* What its pairs are goes into its row. */
void change_write_pairs(const struct world *w, struct change *ch);
bool change_is_live(const struct change *ch);
/* Where that machine is one to be replaced or taken away, or NULL. */
struct pair *change_pair_of_old(struct change *ch, uint64_t machine);
void change_on_timer(struct world *w, struct effects *fx, struct change *ch);
void change_cancel(struct world *w, struct effects *fx, struct change *ch,
		   const char *who);
/* Its cluster is gone: nothing is left to undo. */
void change_abandon(struct world *w, struct effects *fx, struct change *ch);
bool change_may_be_cancelled(const struct change *ch);
bool change_is_final(const struct change_row *row);
/* What it wants of a node now (node.c). */
bool change_drains(const struct cluster *c, const struct machine *m);
bool change_holds_back(const struct cluster *c, const struct machine *m);
bool change_waits_to_start(const struct world *w, const struct cluster *c,
			   const struct machine *m);
void change_on_stopped(struct world *w, struct effects *fx, struct machine *m,
		       bool good, const char *text);
/* A migration or a resize ended. */
void change_on_live(struct world *w, struct effects *fx, struct machine *m,
		    enum job job, enum call_result result, const char *text);

/* ---- policy.c, rule.c ---------------------------------------------------------------------------- */
void policy_look(struct world *w, struct cluster *c);
void policy_kick(struct world *w, struct effects *fx, struct cluster *c);
void policy_changed(struct world *w, struct effects *fx, struct cluster *c,
		    const struct change_row *row);
/* Stores it, with an id of its own when it has none. */
void policy_save(struct world *w, struct effects *fx, struct decision_row *d);
void policy_restore(struct world *w, const struct decision_row *d);
void policy_restore_cluster(const struct world *w, struct cluster *c);
void policy_on_minute(struct world *w);
void apply_rules(struct world *w, struct effects *fx);
void rules_fini(struct world *w);
void rule_restore(struct world *w, const struct decision_row *d);
/* reply: whom to answer with its wish, 0 = nobody. */
void rule_run(struct world *w, struct effects *fx, struct rule *r, bool dry,
	      uint64_t reply);
void rule_on_timer(struct world *w, struct effects *fx, struct rule *r);
void rule_on_done(struct world *w, struct effects *fx, const struct event *ev);
void rule_on_call_over(struct world *w, struct effects *fx, uint64_t call);
bool rule_is_off(const struct rule *r);

/* ---- usage.c, ledger.c ------------------------------------------------------------------------------ */
void usage_read(struct world *w, struct effects *fx, struct host *h);
void usage_on_read(struct world *w, uint64_t call);
void usage_on_stats(struct world *w, const struct event *ev);
/* Its domain runs from now on, as created; ended; has another size or place. */
void ledger_open(struct world *w, struct effects *fx, struct machine *m);
void ledger_close(struct world *w, struct effects *fx, struct machine *m,
		  bool estimated);
/* The domain of the open interval was found to have ended by itself. */
void ledger_doubt(struct effects *fx, struct machine *m);
void ledger_change(struct world *w, struct effects *fx, struct machine *m);
void ledger_restore(struct world *w, struct effects *fx,
		    const struct ledger_row *row);
void ledger_free(struct machine *m);

/* ---- command_cluster.c ----------------------------------------------------------------------------- */
void command_cluster(struct world *w, struct effects *fx, const struct event *ev);

#endif
