/*
 * The control protocol: JSON, one object per line, on the engine's control
 * socket (decisions.md 3).  Used by the console, the commands and scripts.
 *
 * Engine's first line:
 *   {"hello":"remuda","api":1,"version":"0.1","site":"demo","engine":"embedded"|"headless",
 *    "rights":"change"|"read","pid":N,"time":"2026-11-22T05:42:05.123Z"}
 *
 * Long lists come in parts: every answer but the last has "more":true.  History comes in
 * pages: "next":N in the last part says that more may come; ask again with before=N.  A page
 * gives up to 250 items and may be empty: it looks at 1000 rows at most.
 *
 * Request:  {"id":1,"verb":"pool.list", ...arguments}
 * Answer:   {"id":1,"ok":true,"kind":"pool_list","items":[...]}          (lists)
 *           {"id":1,"ok":true,"kind":"machine","item":{...}}             (one object)
 *           {"id":1,"ok":true,"text":"pool/mail serve 3 -> 5"}           (a change)
 *           {"id":1,"ok":false,"error":{"code":"not_found","object":"pool/x",
 *             "message":"...","hint":"..."}}
 * Codes: usage, not_found, refused, read_only, failed, busy, timeout.
 * Unknown verbs and unknown arguments are refused with code usage.
 *
 * Verbs (arguments in brackets are optional; every verb that changes something also takes
 * [why]: a sentence that the audit log keeps among the arguments):
 *   info                                     kind info
 *   verbs.list                               kind verb_list: verb changes arguments[]
 *   read_only [on]                    changes from this connection are refused from now on
 *     (code read_only), whatever its rights; on=false ends that.  site.plan still works
 *   host.list  pool.list  machine.list [pool]  listener.list  application.list  resource.list
 *     resource.show name  gateway.list
 *   session.list [user,machine,application,listener,pool]: those that live; with history=true, pages,
 *     newest first, also [state,search,since_ms,until_ms,limit,before]: assigned in [since, until),
 *     search in the reason whatever the case
 *   request.list [user,application,listener]: those that wait; with history=true, pages, also
 *     [machine,pool,state,code,search,since_ms,until_ms,limit,before]
 *   event.list [object,pool,machine,user,application,listener,severity,kind,search,since_ms,until_ms,
 *     limit,before]: pages, newest first
 *   alarm.list                               kind alarm_list, newest first: events that warn or failed, by
 *     object and kind, that nobody acknowledged and that did not go well since
 *   alarm.ack event=N                        its object's alarms are seen to; an event says who did
 *   audit.list [user,command,outcome("ok"|"failed"),search,since_ms,until_ms,limit,before]: pages,
 *     newest first; only for who may change
 *   history.hours [pool,application,since_ms,until_ms,limit,before]: pages, newest first
 *   pool.show machine.show host.show name   session.show session=N
 *   pool.pause|resume name                   the replacing of outdated machines
 *   pool.create name fields{key: value}      a pool beside the site file's, in its language
 *   pool.delete name                         one made so
 *   cluster.create name fields{}  cluster.delete name    the same; values may be lists and tables
 *   pool.reset name                          its overrides end
 *   pool.scale name [serve] [spare] [max] [dry_run]
 *   machine.hold|release|restart|delete name
 *   session.end session=N [text]
 *   queue.list [user,application]             who waits, in the order of service
 *   user.list  user.show name  group.list
 *   user.why name application [listener]     what the user would get on each listener
 *   user.disable name [end_sessions]  user.enable name
 *   session.extend session=N for="30m"
 *   token.list [user]  token.delete name (the first digits of its id)
 *   token.create name [application] [once] [for="1h"]
 *     -> {"ok":true,"text":"...","token":"rmd-..."}; it is told this once
 *   cluster.list  cluster.show name          show: also node_list[node] and change_now(change|null)
 *   cluster.resize name [nodes] [vcpus] [memory_mib] [strategy] [mapping="a>c b>d"] [dry_run]
 *     strategy: failover shutdown move live; the size holds over calendar and rules until cluster.reset.
 *     What begins or undoes a change answers with its id: {"ok":true,"text":"...","change":12}
 *   cluster.replace name [strategy] [mapping] [dry_run]     all its nodes anew
 *   cluster.reset|pause|resume name [dry_run]               site, calendar and rules decide again; change
 *     nothing; go on
 *   node.list [cluster]  node.show name  node.move name [host] [strategy] [dry_run]
 *   change.list [cluster,user,state,search,since_ms,until_ms,limit,before]: pages, newest first
 *   change.show|cancel change=N              cancel undoes it, [dry_run]
 *   rule.list  rule.show name  rule.enable|disable name [dry_run]
 *   rule.run name [dry_run]                  dry_run: text says what it wishes, and nothing comes of it
 *   rule.replay decision=N                   kind replay: the rule of today with the inputs of then
 *   cluster.why name  rule.why name  decision.list [object,source]: kind decision_list, also
 *     [state(outcome),search,since_ms,until_ms,limit,before]: pages, newest first
 *   decision.show decision=N
 *   host.drain name [strategy] [dry_run]     cluster nodes leave it, no machine is made there
 *   host.undrain name  host.fence name [dry_run]     fence: an operator knows that it is off
 *   whatif.host_down name                    kind whatif: host sentences[]; what would happen, by the
 *     choices that would be made
 *   usage [by("user"|"application"|"pool"|"cluster"|"host"|"machine")] from_ms until_ms
 *     [user,application,pool,cluster,host,machine]   kind usage_list, answered when it is made: the
 *     ledger in [from, until), exact to the millisecond; the sums are the same by whatever they are
 *   whois name|session|address               address: of a machine, or "ip:port" of an open
 *     connection to a resource, as the service or the machine sees it
 *   engine.stop [machines="stay"]            machines stay up (the only choice now)
 *   site.reload                              the site file, unless that destroys machines
 *   site.plan [version=HASH] [undo=true]     kind plan: site version in_force destroys changes[{sign
 *     ("+"|"-"|"~") kind name fields[{key old new}]}] more pools[{name machines in_session create
 *     replace drain}] overrides[{key value who ends}]; of the site file, or an earlier version
 *   site.apply [version] [undo] [expect=VERSION]   expect: refused when it is another one by now
 *   site.show [version=HASH]                 kind site_text: pieces {file,text} in order, of the
 *     site in force or of an earlier one (the start of its hash does); only for who may change
 *   backup path [with_key=true]              answered when the file is whole
 *   site.ssh_ca                              text: the line of known_hosts for all machines
 *   site.history [limit]                     kind site_history: id version who time bytes, newest first
 *   site.close                               destroys all machines, then the engine stops
 *   gc.plan  gc.run                          kind leftover_list: name kind host bytes inode path result
 *   reclaim.plan  reclaim.run [confirm=SITE] kind leftover_list of domains that name this site, unknown
 *     to its store: name kind host uuid owner runs result; run destroys those signed by the site's key,
 *     with confirm also those that are not
 *   site.destroy [force]                     the same when the last file is gone, then the engine stops
 *   machine.exec name argv[...] [input] [for="30 s"]   kind machine_exec: code out err (bytes as for
 *     machine.console); on machines held, quarantined or with a user
 *   machine.console name [watch=true] [history=BYTES]    then lines {"console":"mail-07","data":"..."}:
 *     data is text with every byte >= 0x80 or < 0x20 as \u00XX (one code point per byte), both
 *     ways; {"console":"mail-07","closed":true,"text":"why"} ends it; the client sends
 *     {"console":"mail-07","close":true} to leave.  history: that many of the last 256 KiB first.
 *     Several may look, one types: {"console":..,"keyboard":"ops1"|null,"mine":bool,"watchers":N}
 *     says who.  {"console":..,"ask":true} asks for the keyboard: it comes at once when nobody has
 *     it, else who has it hears {"console":..,"asked":"ops2"} and sends {"console":..,"give":bool};
 *     after 20 s without an answer it goes over.  A no: {"console":..,"denied":"ops1"}.
 *   machine.watch name [history=BYTES]       the same without the keyboard; read-only connections may
 *   subscribe [topics=["pools","machines","sessions","requests","hosts","gateways","events","site",
 *     "clusters","nodes","changes","rules"]]
 *     -> answer, then a full state and then changes, at most 5 a second, as lines
 *     {"topic":"machines","full":true|false,"items":[...],"time_ms":WALL}
 *     The first line of each topic is full, even when empty; its further parts are not.  Parts of a
 *     full state have "more": false in its last one.  Between those of machines and sessions, which
 *     are sent as fast as the client reads, lines of changes may stand; they have no "more".
 *     Items carry the same fields as the lists.  An object that ended comes once more
 *     with its final state (machines and nodes "gone", sessions closed/lost/failed, requests and
 *     changes final) and "removed":true.  Clusters and rules: a site that was applied is told as
 *     a full state again; what is not in it is gone.  {"topic":"tick","time_ms":WALL} at least every second, so a client
 *     knows the engine lives.
 *
 * Items (times: RFC 3339 UTC text or null; *_ms integers; unknown = null):
 *   host:     name uri state("up"|"not_answering"|"connecting") text version hostname cpus
 *             memory_mib kvm machines since site host_labels[] draining used_vcpus used_mib
 *             room_vcpus room_mib (what machines use of it and may use; null = no bound, not known)
 *             disk_mib (free where its volumes lie; null = not known)
 *   pool:     name application host serve spare max keep recycle counts{state:n...} in_use ready
 *             starting bad waiting outdated paused origin total removed reason boot_ms vcpus memory_mib endpoint identity
 *   machine:  id ref("machine/mail-07") name pool host state wish dirty incarnation session user
 *             reason since boot_ms prepare_ms clean_ms sessions failures uuid job("create","prepare"..)
 *   session:  id ref("session/4711") state user application listener peer machine pool gateway
 *             requested assigned accepted ended ends lingers wait_ms accept_ms clean_ms bytes_in bytes_out
 *             connections (so far) open (now; of live ones) end_text request_key incarnation resources["db (allowed)"] (of live ones that may reach any)
 *   request:  id ref user application listener peer state place requested deadline wait_ms code text
 *             while it waits: machines (wanted at once) priority
 *   listener: name door address user application state
 *   resource: name pool machine address identity ident listen listen_state access{who:bool} open
 *             connections[{user machine session own peer since}] (the first 100) refused
 *             refusals[{time user machine peer text}] (the last 5, newest first)
 *   whois:    machine state incarnation user session application since resource; user, session
 *             and what follows only while a session is on the machine
 *   gateway:  index pid state("up"|"gone"|"starting") sessions adopted outdated (runs another
 *             program than the engine) draining temporary (while others are replaced) since
 *   hour:     hour (its start) sessions (begun) closed lost failed (ended) refused cancelled waited
 *             wait_mean_ms wait_p50_ms wait_p95_ms (null without sessions; a class's upper end)
 *             bytes_in bytes_out session_ms (both of ended sessions) machine_ms (machines ran)
 *   audit:    id time who uid pid program command arguments (JSON, cut at 399 bytes) dry_run
 *             outcome code (null when ok) text
 *   event:    id time severity("info"|"warn"|"fail") kind object text
 *   cluster:  name ref application vip("10.0.0.50/24") address("10.0.0.50:80") interface port balance
 *             replay strategy state("serving"|"short"|"changing"|"down") nodes vcpus memory_mib (wanted
 *             now) source (who says so: "site" "calendar" "rule/load" "operator/ops1") serving machines
 *             reason (why it is not as wanted) paused site_size{nodes vcpus memory_mib} min{} max{}
 *             pin{nodes vcpus memory_mib who since}|null (an operator's; 0 = not said) calendar{text
 *             nodes vcpus memory_mib}|null rules[] change (id|null) decision (the last)|null cool_up_ms
 *             cool_down_ms grown shrunk vip_held vip_text transactions answered replayed failed reset
 *             refused bytes_in bytes_out open waiting cpu_permille cpu_busiest_permille (of its nodes'
 *             vcpus; null = not known) cpu_history[] (newest first) origin
 *   node:     name ref cluster host site address state (of the machine) part("out"|"checked"|"serving"|
 *             "draining") up text (why not) since open transactions failed (seen by the gateways that
 *             are there) vcpus memory_mib cpu_permille memory_used_mib rss_mib change role("new"|"old"|
 *             "changing"|null) partner (who replaces it, or is replaced by it) incarnation
 *   change:   id ref summary("2 -> 3 nodes") cluster kind("resize"|"replace"|"move") state("running"|"undoing"|"done"|"failed"|
 *             "cancelled") step step_number steps[{name state("done"|"now"|"stopped"|"open")}] strategy
 *             decision from{nodes vcpus memory_mib} to{} who started step_since ended took_ms
 *             pairs[{old new stays}] text (what it waits for, how it ended) cancellable
 *   rule:     name ref object("cluster/payroll"|"pool/mail") state("on"|"off"|"failing") failures (in a
 *             row; after 3 it is not run) running every_ms deadline_ms next version origin
 *             last (decision; its id is null when it changed nothing)|null last_time last_sentence
 *   decision: id ref time object source version (of the rule) inputs{} wish("nodes=3") outcome("kept"|
 *             "changed"|"held_back"|"failed"|"dry") change change_state text sentence ("rule/load: 2 -> 3
 *             nodes: cpu 87 % over 80 %; change 12 done in 4.1 s")
 *   replay:   a decision with wish_now text_now ok_now version_now same
 *   usage:    name by from until machine_ms vcpu_ms mib_ms session_ms estimated_ms open_ms; by user:
 *             "(idle)" and "(cluster)" are nobody's, by cluster "(pools)" is none's
 *   alarm:    as its newest event, and count, first (the time of the oldest)
 *   user:     name state("enabled"|"disabled") groups[] applications[] limit sessions waiting
 *             priority password token uid place
 *   group:    name members[] applications[] priority limit sessions waiting place
 *   token:    id user application once state("good"|"held"|"used"|"expired") who created expires used
 *   why:      user application listener allowed code text place("site.lua:12") statement priority
 *             groups[] limit
 *   application: name pools endpoint identity connections("one"|"shared") resources hooks version
 *   info:     version site site_error paths{} pid uptime_ms term turns commits counts{}
 *             policy{rounds last_us most_us} (processor time of a look at every cluster)
 *             metrics("127.0.0.1:9090 (listening)")|null
 *             sessions_per_hour[24] (oldest first)
 */
#ifndef REMUDA_WIRE_CONTROL_H
#define REMUDA_WIRE_CONTROL_H

#include <stddef.h>
#include <sys/types.h>

enum {
	CONTROL_API = 1,
	CONTROL_LINE_MAX = 1024 * 1024,
	CONTROL_DEPTH_MAX = 16,
};

struct json_t;
struct error;

/* Parses one line strictly: an object, no duplicate keys, depth and size
 * limited.  Returns a new reference or NULL. */
struct json_t *control_parse(const char *line, size_t length, struct error *err);
/* One line with its newline, malloc'd; *length without NUL. */
char *control_print(const struct json_t *object, size_t *length);

/*
 * A guest's bytes as text of one code point a byte, so that nothing a guest
 * writes can break a line.  Writes at most 2 * length bytes to text; returns how
 * many.
 */
size_t control_bytes_to_text(char *text, const char *bytes, size_t length);
/* The reverse, into at most length bytes (text itself will do); -1 for a code
 * point that is no byte. */
ssize_t control_text_to_bytes(char *bytes, const char *text, size_t length);

#endif
