# Ruby's net/http as it comes.
require 'net/http'

uri = URI(ARGV[0])
Net::HTTP.start(uri.host, uri.port, use_ssl: true) do |http|
  answer = http.get(uri.path, 'Authorization' => "Bearer #{ENV['MATRIX_TOKEN']}")
  puts answer.code, answer.to_hash, answer.body
end
