# A fake engine for screen tests: speaks the control protocol from a world
# given as data, in the test's own process group, one connection after another.
#
#   my $engine = FakeEngine->start($socket, $world);   # a child process
#   ... $engine->requests ...                          # what it was asked
#   $engine->stop;
#
# world: { hello => {...}, topics => { pools => [...], ... },
#          answers => { "pool.scale" => {...} },   what it says to a verb, or to
#             "user.why mail": to a verb about that application, pool or name
#          after => { "session.end" => { sessions => [...] } },  then changes
#          dies_on => "site.reload" }              ends without an answer
package FakeEngine;
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;

# First what a whole state can do without: after that nothing is waited for.
our @topics = qw(site clusters nodes changes rules pools machines sessions requests hosts
	gateways events);

sub start {
	my ($class, $path, $world, $log) = @_;
	unlink $path;
	my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 8)
		or die "listen on $path: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		$SIG{TERM} = 'DEFAULT';
		serve($listener, $world, $log);
		exit 0;
	}
	close $listener;
	return bless { pid => $pid, path => $path, log => $log }, $class;
}

# Returns when everything that was sent before has been read: in each round all
# that is there is, so the second answer comes after it.
sub settle {
	my ($self) = @_;
	my $sock = IO::Socket::UNIX->new($self->{path}) or return;
	<$sock>;
	for my $id (1, 2) {
		print $sock qq({"id":$id,"verb":"read_only"}\n);
		<$sock>;
	}
}

sub stop {
	my ($self) = @_;
	return unless $self->{pid};
	kill 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
	$self->{pid} = 0;
	unlink $self->{path};
}

# Every request that came, as data, without what the console asks by itself.
sub requests {
	my ($self) = @_;
	open my $fh, '<', $self->{log} or return ();
	return grep { defined $_->{verb} && $_->{verb} !~ /^(subscribe|read_only|alarm[.]list)$/ }
		map { decode_json($_) } <$fh>;
}

# What was typed into consoles, and the other lines about them in words.
sub typed {
	my ($self) = @_;
	open my $fh, '<', $self->{log} or return '';
	return join '', map { $_->{data} // ($_->{close} ? '<close>' : $_->{ask} ? '<ask>' :
			defined $_->{give} ? $_->{give} ? '<give>' : '<keep>' : '') }
		grep { defined $_->{console} } map { decode_json($_) } <$fh>;
}

# "on off": what it was promised about reading only.
sub promises {
	my ($self) = @_;
	open my $fh, '<', $self->{log} or return '';
	return join ' ', map { $_->{on} ? 'on' : 'off' }
		grep { ($_->{verb} // '') eq 'read_only' } map { decode_json($_) } <$fh>;
}

sub DESTROY { $_[0]->stop if $$ == ($_[0]{owner} // $$) && $_[0]{pid} }

sub serve {
	my ($listener, $world, $log) = @_;
	my $json = JSON::PP->new->utf8->canonical;
	my $select = IO::Select->new($listener);
	my %buffer;

	while (1) {
		for my $fh ($select->can_read(1)) {
			if ($fh == $listener) {
				my $client = $listener->accept or next;
				$select->add($client);
				$buffer{$client} = '';
				send_line($client, $json, $world->{hello});
				next;
			}
			my $n = sysread $fh, $buffer{$fh}, 65536,
				length $buffer{$fh};
			if (!$n) {
				$select->remove($fh);
				close $fh;
				next;
			}
			while ($buffer{$fh} =~ s/^(.*)\n//) {
				answer($fh, $json, $world, $log, $1);
			}
		}
		for my $fh ($select->handles) {
			next if $fh == $listener || !$world->{tick};
			send_line($fh, $json, { topic => 'tick',
						time_ms => time * 1000 });
		}
	}
}

sub answer {
	my ($fh, $json, $world, $log, $line) = @_;
	my $request = $json->decode($line);

	my $id = $request->{id};
	unless (($request->{verb} // '') eq 'read_only' && !exists $request->{on}) {
		open my $out, '>>', $log or die "$log: $!";
		print $out $json->encode($request), "\n";
		close $out;
	}
	if (defined $request->{console}) {
		console_line($fh, $json, $world, $request);
		return;
	}
	if ($request->{verb} =~ /^machine[.](console|watch)$/ && $world->{consoles}{$request->{name}}) {
		my $c = $world->{consoles}{$request->{name}};
		my %line = (console => $request->{name});
		send_line($fh, $json, { id => $id, ok => JSON::PP::true, text => 'console open' });
		send_line($fh, $json, { %line, data => $c->{history} });
		my $mine = $1 eq 'console' && !$c->{keyboard};
		send_line($fh, $json, { %line, keyboard => $mine ? 'ops1' : $c->{keyboard},
			mine => $mine ? JSON::PP::true : JSON::PP::false, watchers => $c->{watchers} // 1 });
		send_line($fh, $json, { %line, asked => $c->{asked} }) if $c->{asked};
		return;
	}
	if ($request->{verb} eq 'subscribe') {
		send_line($fh, $json, { id => $id, ok => JSON::PP::true,
					text => 'subscribed' });
		for my $topic (@topics) {
			send_line($fh, $json, { topic => $topic,
				full => JSON::PP::true, time_ms => 0,
				items => $world->{topics}{$topic} // [] });
		}
		return;
	}
	exit 0 if ($world->{dies_on} // '') eq $request->{verb};
	if ($request->{verb} eq 'read_only') {
		send_line($fh, $json, { id => $id, ok => JSON::PP::true, text => 'promised' });
		return;
	}
	my ($which) = map { "$request->{verb} $_" } grep { defined }
		@$request{qw(application pool cluster name)};
	my $answer = $world->{answers}{$which // ''} // $world->{answers}{$request->{verb}} //
		{ ok => JSON::PP::false, error => { code => 'usage',
		  message => "no verb $request->{verb}" } };
	send_line($fh, $json, { %$answer, id => $id });
	# A change shows as the engine would tell it.
	my $after = $world->{after}{$request->{verb}} or return;
	for my $topic (sort keys %$after) {
		send_line($fh, $json, { topic => $topic,
			full => JSON::PP::false, time_ms => 0,
			items => $after->{$topic} });
	}
}

# What is typed comes back as a guest's terminal sends it back.
sub console_line {
	my ($fh, $json, $world, $line) = @_;
	my %line = (console => $line->{console});
	my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
	send_line($fh, $json, { %line, data => $line->{data} =~ s/\r/\r\n/gr }) if defined $line->{data};
	send_line($fh, $json, { %line, keyboard => 'ops1', mine => $yes, watchers => 2 }) if $line->{ask};
	send_line($fh, $json, { %line, keyboard => 'ops2', mine => $no, watchers => 2 }) if $line->{give};
	send_line($fh, $json, { %line, closed => $yes, text => 'left' }) if $line->{close};
}

sub send_line {
	my ($fh, $json, $data) = @_;
	my $bytes = $json->encode($data) . "\n";

	local $SIG{PIPE} = 'IGNORE';
	while (length $bytes) {
		my $n = syswrite $fh, $bytes;
		return unless $n;
		substr($bytes, 0, $n) = '';
	}
}

1;
