export default function Page() {
  return <p>Notes of all users</p>;
}
