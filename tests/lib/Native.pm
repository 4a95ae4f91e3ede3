# A client of the native protocol written from remuda-protocol(7) alone: it
# shows that the page is enough, and lets a test see every frame by its name.
package Native;
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::UNIX;
use IO::Select;
use Time::HiRes qw(time);

my %type = (HELLO => 1, ALLOCATE => 2, ALLOCATED => 3, WAITING => 4, CONNECT => 5,
	ACCEPT => 6, DATA => 7, DEALLOCATE => 8, CONFIRMED => 9, ERROR => 10);
my %tag = (VERSION => 1, USER => 2, SECRET => 3, APPLICATION => 4, SESSION => 5, NONCE => 6,
	INCARNATION => 7, MACHINE => 8, WAIT_MS => 9, REQUEST_ID => 10, COUNT => 11,
	TICKET => 12, PLACE => 13, CODE => 14, TEXT => 15, RESOURCE => 16, LISTENER => 17);
my %number = map { $_ => 1 } qw(VERSION SESSION NONCE INCARNATION WAIT_MS COUNT PLACE);
my %type_name = reverse %type;
my %tag_name = reverse %tag;
use constant { HALF_CLOSE => 1, CONFIRM => 2 };
# The flag END is called HALF_CLOSE here: END is a word of Perl.

# Native->open(unix => PATH) or Native->open(tcp => "HOST:PORT").
sub open {
	my ($class, $how, $where) = @_;
	my $socket = $how eq 'unix' ? IO::Socket::UNIX->new($where) : IO::Socket::INET->new($where);
	return unless $socket;
	return bless { socket => $socket, buffer => '' }, $class;
}

# Sends a frame: $n->send('ALLOCATE', 0, APPLICATION => 'mail'), and bytes as
# $n->send('DATA', 0, $bytes).
sub send {
	my ($self, $name, $flags, @items) = @_;
	my $payload = '';
	if ($name eq 'DATA') {
		$payload = $items[0] // '';
	} else {
		while (my ($tag, $value) = splice @items, 0, 2) {
			$value = pack 'Q>', $value if $number{$tag};
			$payload .= pack 'nn', $tag{$tag}, length $value;
			$payload .= $value;
		}
	}
	local $SIG{PIPE} = 'IGNORE';
	my $frame = pack('NCCn', length $payload, $type{$name}, $flags, 0) . $payload;
	return syswrite($self->{socket}, $frame) == length $frame;
}

# The next frame as { name, flags, items or bytes }; undef at the end of the
# connection or after $seconds.
sub receive {
	my ($self, $seconds) = @_;
	my $end = time + ($seconds // 30);
	my $select = IO::Select->new($self->{socket});
	for (;;) {
		if (length $self->{buffer} >= 8) {
			my ($length, $type, $flags) = unpack 'NCC', $self->{buffer};
			if (length $self->{buffer} >= 8 + $length) {
				substr $self->{buffer}, 0, 8, '';
				my $payload = substr $self->{buffer}, 0, $length, '';
				my %frame = (name => $type_name{$type} // $type, flags => $flags);
				return { %frame, bytes => $payload } if $frame{name} eq 'DATA';
				while (length $payload) {
					my ($tag, $size) = unpack 'nn', substr $payload, 0, 4, '';
					my $value = substr $payload, 0, $size, '';
					$tag = $tag_name{$tag} // $tag;
					$frame{$tag} = $number{$tag} ? unpack 'Q>', $value : $value;
				}
				return \%frame;
			}
		}
		my $left = $end - time;
		return if $left <= 0 || !$select->can_read($left);
		sysread($self->{socket}, $self->{buffer}, 65536, length $self->{buffer}) or return;
	}
}

# The next frame that is not WAITING; the places seen are kept in {places}.
sub answer {
	my ($self, $seconds) = @_;
	while (my $frame = $self->receive($seconds)) {
		return $frame unless $frame->{name} eq 'WAITING';
		push @{ $self->{places} }, $frame->{PLACE};
	}
	return;
}

# Bytes of the session until they match; what came.
sub expect {
	my ($self, $pattern, $seconds) = @_;
	my $got = '';
	while ($got !~ $pattern) {
		my $frame = $self->receive($seconds // 30) or last;
		last if $frame->{name} ne 'DATA';
		$got .= $frame->{bytes};
	}
	return $got;
}

sub close { close $_[0]{socket} }

1;
