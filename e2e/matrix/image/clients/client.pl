# Perl's LWP, as Debian packages it.
use strict;
use warnings;
use LWP::UserAgent;

my $answer = LWP::UserAgent->new->get($ARGV[0], Authorization => "Bearer $ENV{MATRIX_TOKEN}");
print $answer->status_line, "\n", $answer->headers->as_string, $answer->decoded_content;
