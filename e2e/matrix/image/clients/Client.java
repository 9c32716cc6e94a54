import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

/** java.net.http.HttpClient as it comes: GET with a bearer token, the answer's head and body printed. */
public final class Client {
  public static void main(String[] args) throws Exception {
    var request =
        HttpRequest.newBuilder(URI.create(args[0]))
            .header("Authorization", "Bearer " + System.getenv("MATRIX_TOKEN"))
            .build();
    var answer = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
    System.out.println(answer.version() + " " + answer.statusCode());
    System.out.println(answer.headers().map());
    System.out.println(answer.body());
  }
}
